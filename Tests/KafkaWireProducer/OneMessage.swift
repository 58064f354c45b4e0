import Outbox
import OutboxKafka

/// One message, and what an operator is told of it: its fate, and the transport's health where that says anything else.
enum OneMessage {
    /// - Parameter options: `ca=FILE`, `certificate=FILE`, `key=FILE`, `key-password=…`, `name=any`.
    static func deliver(to url: String, options: [String]) async throws {
        let transport: KafkaTransport
        do throws(TransportConfigurationError) {
            transport = try KafkaTransport(self.configuration(url, options))
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

    private static func configuration(
        _ url: String, _ options: [String]
    ) throws(TransportConfigurationError) -> KafkaConfiguration {
        var configuration = try KafkaConfiguration(url: url)
        var tls = configuration.security.tls ?? .init()
        for option in options {
            let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
            switch (parts[0], parts[1]) {
            case ("ca", let path): tls.trustedCertificates = path
            case ("certificate", let path): tls.certificate = path
            case ("key", let path): tls.privateKey = path
            case ("key-password", let password): tls.privateKeyPassword = password
            case ("name", "any"): tls.verifiesHostName = false
            default: fatalError("there is no option \(option)")
            }
        }
        if !options.isEmpty { configuration.security.tls = tls }
        return configuration
    }
}
