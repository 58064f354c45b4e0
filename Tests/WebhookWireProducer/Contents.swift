import Foundation
import Outbox
import OutboxWebhook

/// Messages of every kind. What is to be found at the receiver is written to standard output, a line of JSON a message.
enum Contents {
    private struct Expected: Encodable {
        let number: Int
        let route: String?
        let key: String?
        let headers: [String: String]
        let payload: Data
    }

    private static var messages: [NewMessage] {
        var messages: [NewMessage] = (0..<200).map { number in
            NewMessage(
                to: "wire", route: number % 2 == 0 ? "order.placed" : nil, key: "key \(number % 7)/ö?&%",
                headers: number % 3 == 0 ? ["x-trace": "00-\(number)-01", "x-ü": "no name", "x-text": "zwölf"] : [:],
                text: #"{"message": \#(number), "text": "zwölf €"}"#)
        }
        messages.append(
            NewMessage(to: "wire", headers: ["content-type": "application/octet-stream"], payload: Array(0...255)))
        messages.append(
            NewMessage(to: "wire", key: "ключ \"%", headers: ["content-type": "text/plain"], text: "ключ\n"))
        messages.append(NewMessage(to: "wire", key: "not", text: "{not JSON"))
        messages.append(NewMessage(to: "wire", key: "empty", payload: []))
        messages.append(
            NewMessage(
                to: "wire", key: "attributes",
                headers: ["ce-type": "own.type", "ce-tenant": "ä \"%", "ce-subject": ""], text: "[]"))
        messages.append(
            NewMessage(to: "wire", key: "large", text: "[\"" + String(repeating: "zwölf", count: 500_000) + "\"]"))
        return messages.enumerated().map { number, message in
            var message = message
            message.headers["x-number"] = "\(number)"
            return message
        }
    }

    static func deliver(to transport: WebhookTransport) async throws {
        let messages = self.messages
        var remaining = messages.count
        try await WireRelay(messages: messages).deliver(to: transport) { event in
            switch event {
            case .delivered: remaining -= 1
            case .deadLettered, .retried, .opened: fatalError("\(event)")
            default: break
            }
            return remaining == 0
        }
        let encoder = JSONEncoder()
        for (number, message) in messages.enumerated() {
            let expected = Expected(
                number: number, route: message.route, key: message.key, headers: message.headers,
                payload: Data(message.payload))
            print(String(decoding: try encoder.encode(expected), as: UTF8.self))
        }
    }
}
