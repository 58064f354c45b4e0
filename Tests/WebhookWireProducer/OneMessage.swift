import Outbox
import OutboxWebhook

/// One message, and what an operator is told of it.
enum OneMessage {
    static func deliver(to url: String, host: String?) async throws {
        let transport: WebhookTransport
        do {
            transport = try WireRelay.transport(url)
        } catch {
            return print("refused: \(error)")
        }
        let message = NewMessage(
            to: "wire", route: "r", key: "k", headers: host.map { ["host": $0] } ?? [:], text: #"{"number": 1}"#)
        try await WireRelay(messages: [message]).deliver(to: transport) { event in
            switch event {
            case .delivered: print("delivered")
            case .opened(_, let reason, _): print("unavailable: \(reason)")
            case .retried(_, _, _, _, let error): print("tried again: \(error)")
            case .deadLettered(_, _, _, _, let error): print("dead: \(error)")
            default: return false
            }
            return true
        }
    }
}
