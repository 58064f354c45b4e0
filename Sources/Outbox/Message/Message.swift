#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A message that is being delivered: a reference into the page that it was read with.
///
/// Each property is decoded when it is asked for; keep what you need more than once in a constant.
public struct Message: Sendable, Identifiable {
    package let page: any MessagePage
    package let row: Int

    package init(page: any MessagePage, row: Int) {
        self.page = page
        self.row = row
    }

    /// The message's number, unique within its outbox. A message delivered twice has the same id both times.
    public var id: Int64 { self.page.id(at: self.row) }

    /// The messaging system that it is addressed to.
    public var destination: Destination { self.page.destination }

    /// Topic, queue, routing key or path inside the destination.
    public var route: String? { self.page.text(.route, at: self.row) }

    /// The key that orders it: messages of one key arrive in the order of their commits.
    public var key: String? { self.page.text(.key, at: self.row) }

    /// The hash of its key, 0 to 1023; of its id where it has no key.
    package var slot: Int { self.page.slot(at: self.row) }

    /// When the transaction that enqueued it began.
    public var createdAt: Date { self.page.createdAt(at: self.row) }

    /// Which attempt to deliver it this is, counted from 1.
    public var attempt: Int { self.page.attempts(at: self.row) + 1 }

    /// Names and values that go with the payload, the trace context among them.
    public var headers: [String: String] {
        // A row whose headers cannot be read has been refused before any handler sees it.
        guard let json = self.headersJSON else { return [:] }
        return (try? JSONDecoder().decode([String: String].self, from: Data(json.utf8))) ?? [:]
    }

    /// The headers as the text of a JSON object; nil where there are none.
    package var headersJSON: String? { self.page.text(.headers, at: self.row) }

    /// The content, copied. See ``withPayload(_:)`` for a look without a copy.
    public var payload: [UInt8] {
        unsafe self.page.withPayload(at: self.row) { bytes in unsafe Array(bytes) }
    }

    /// The content as text in UTF-8; bytes that are none become U+FFFD.
    public var text: String {
        unsafe self.page.withPayload(at: self.row) { bytes in unsafe String(decoding: bytes, as: UTF8.self) }
    }

    /// Lends the content without copying it. The buffer must not be used after `body` has returned.
    public func withPayload<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try unsafe self.page.withPayload(at: self.row, body)
    }

    /// The content where it lies, for those that hand it on without copying it; nil where it is somewhere only for the time of
    /// ``withPayload(_:)``. The buffer must not be used after the last reference to this message is gone.
    package var payloadInPlace: UnsafeRawBufferPointer? { unsafe self.page.payloadInPlace(at: self.row) }

    /// Decodes a JSON payload.
    ///
    /// - Throws: What the decoder throws. A payload that will never decode is best refused at once:
    ///   `throw DeliveryFailure.reject("…")`.
    public func decode<Value: Decodable>(
        _ type: Value.Type = Value.self, decoder: JSONDecoder = JSONDecoder()
    ) throws -> Value {
        try decoder.decode(type, from: Data(self.payload))
    }
}

extension Message {
    /// What is wrong with the row, if it is not a message that a handler can be given.
    package var defect: MessageDefect? {
        if self.page.isVerified { return nil }
        guard let json = self.headersJSON else { return nil }
        do {
            _ = try JSONDecoder().decode([String: String].self, from: Data(json.utf8))
            return nil
        } catch {
            return MessageDefect("headers: not an object of strings")
        }
    }

    /// What the message overrides of its destination's retry strategy.
    package var options: MessageOptions {
        get throws(MessageDefect) {
            guard let json = self.page.text(.options, at: self.row) else { return MessageOptions() }
            return try MessageOptions(json: json)
        }
    }
}
