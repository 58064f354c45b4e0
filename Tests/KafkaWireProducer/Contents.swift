import Outbox
import OutboxKafka

/// Messages of every kind. What is to be found at the broker is written to standard output, a line a message: key, payload and
/// headers in hexadecimal.
enum Contents {
    private static var messages: [NewMessage] {
        var messages: [NewMessage] = (0..<500).map { number in
            NewMessage(
                to: "wire", key: "key-\(number % 7)",
                headers: number % 3 == 0 ? ["trace": "00-\(number)-01", "ö": "zwölf", "empty": ""] : [:],
                text: "message \(number)")
        }
        messages.append(NewMessage(to: "wire", payload: []))
        messages.append(NewMessage(to: "wire", key: "ключ", payload: Array(0...255)))
        messages.append(
            NewMessage(to: "wire", key: "large", payload: (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }))
        return messages
    }

    static func deliver(to transport: KafkaTransport) async throws {
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
        for message in messages {
            let headers = message.headers.sorted { $0.key < $1.key }
                .map { self.hexadecimal($0.key.utf8) + "=" + self.hexadecimal($0.value.utf8) }.joined(separator: ",")
            let key = message.key.map { self.hexadecimal($0.utf8) } ?? "-"
            print(key, self.hexadecimal(message.payload), headers, separator: " ")
        }
    }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
