import Outbox
import OutboxKafka

/// One message, and what an operator is told of it: its fate, and the transport's health where that says anything else.
enum OneMessage {
    static func deliver(to url: String) async throws {
        let transport: KafkaTransport
        do throws(TransportConfigurationError) {
            transport = try KafkaTransport(url)
        } catch {
            return print("refused: \(error)")
        }
        try await WireRelay(messages: [NewMessage(to: "wire", key: "k", text: "one")]).deliver(to: transport) { event in
            switch event {
            case .delivered: self.say("delivered", transport.health, .up)
            case .opened(_, let reason, _): self.say("unavailable: \(reason)", transport.health, .down(reason))
            case .retried(_, _, _, _, let error): self.say("tried again: \(error)", transport.health, .up)
            case .deadLettered(_, _, _, _, let error): self.say("dead: \(error)", transport.health, .up)
            default: return false
            }
            return true
        }
    }

    private static func say(_ fate: String, _ health: TransportHealth, _ expected: TransportHealth) {
        print(health == expected ? fate : "\(fate); \(health)")
    }
}
