import Outbox
import OutboxHTTP
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A message with all that belongs to it as one JSON object.
enum MessageEnvelope {
    /// The object: `id`, `enqueuedAt`, `route`, `key`, `headers`, and `payload` or `payloadBase64`.
    static func json(of message: Message) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("id")
        writer.integer(message.id)
        writer.name("enqueuedAt")
        writer.integer(message.createdAtMilliseconds)
        for (name, value) in [("route", message.route), ("key", message.key)] {
            guard let value else { continue }
            writer.name(of: name)
            writer.string(value)
        }
        writer.name("headers")
        writer.beginObject()
        for (name, value) in message.headers.sorted(by: { $0.key < $1.key }) {
            writer.name(of: name)
            writer.string(value)
        }
        writer.endObject()
        let payload = message.payload
        if let text = String(validating: payload, as: UTF8.self), self.isPlain(text) {
            writer.name("payload")
            writer.string(text)
        } else {
            writer.name("payloadBase64")
            writer.string(Base64.encoded(payload))
        }
        writer.endObject()
        return writer.take()
    }

    /// Whether a text is well written as JSON: control characters would take six bytes each, and U+FFFE and U+FFFF are refused by SQS.
    private static func isPlain(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            (scalar.value >= 0x20 && scalar.value & 0xFFFE != 0xFFFE) || scalar == "\t" || scalar == "\n"
                || scalar == "\r"
        }
    }
}

extension Message {
    /// When the transaction that enqueued it began, in milliseconds since 1970.
    var createdAtMilliseconds: Int64 { Int64((self.createdAt.timeIntervalSince1970 * 1000).rounded()) }
}

extension MessageTemplate {
    /// The text for a message.
    ///
    /// - Throws: That the message has nothing for a place.
    func part(of message: Message, _ what: String) throws(MessageRefusal) -> String {
        do throws(MissingValue) {
            return try self.text(for: message)
        } catch {
            throw MessageRefusal("no \(what): \(error)")
        }
    }
}
