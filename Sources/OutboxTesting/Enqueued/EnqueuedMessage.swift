public import Outbox

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A message that was enqueued in an ``InMemoryOutbox``, whatever has become of it since.
public struct EnqueuedMessage: Sendable, Hashable, Identifiable {
    /// The message's id.
    public let id: Int64
    /// When its transaction began.
    public let createdAt: Date
    /// What was enqueued.
    public let message: NewMessage

    /// The payload as text; nil where it is no UTF-8.
    public var text: String? { String(validating: self.message.payload, as: UTF8.self) }

    /// Decodes a JSON payload.
    ///
    /// - Throws: What the decoder throws.
    public func decode<Value: Decodable>(
        _ type: Value.Type = Value.self, decoder: JSONDecoder = JSONDecoder()
    ) throws -> Value {
        try decoder.decode(type, from: Data(self.message.payload))
    }
}

extension EnqueuedMessage: CustomStringConvertible {
    /// In a line: the id, where it is to go, and its payload, shortened.
    public var description: String {
        var words = ["#\(self.id) to \(self.message.destination.name)"]
        if let route = self.message.route { words.append("route \(route)") }
        if let key = self.message.key { words.append("key \(key)") }
        let payload = self.text.map { text in
            text.count > 200 ? "\(String(reflecting: String(text.prefix(200))))…" : String(reflecting: text)
        }
        return "\(words.joined(separator: ", ")): \(payload ?? "\(self.message.payload.count) bytes")"
    }
}
