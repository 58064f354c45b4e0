#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension NewMessage {
    /// The most bytes that a payload can have, as the outbox's schema allows it: 64 MiB.
    public static let largestPayload = 64 * 1024 * 1024

    /// The most bytes that all headers together can have, as the outbox's schema allows it: 64 KiB, counted as PostgreSQL
    /// writes them as JSON.
    package static let largestHeaders = 64 * 1024

    /// Refuses a message that the outbox would not take, before anything is sent to it.
    ///
    /// Lengths are counted in bytes of UTF-8. The rules are those of the schema's constraints, and what PostgreSQL
    /// cannot store at all: a text with a NUL.
    ///
    /// - Parameter maximumPayload: The most bytes of payload; never more than ``largestPayload``, which is the default.
    /// - Throws: An ``InvalidMessage`` that names the first field that is wrong.
    package func validate(maximumPayload: Int = NewMessage.largestPayload) throws(InvalidMessage) {
        try Self.check(self.destination.name, field: "destination", longest: 255)
        if let route = self.route { try Self.check(route, field: "route", longest: 1024) }
        if let key = self.key { try Self.check(key, field: "key", longest: 1024) }
        if let key = self.idempotencyKey { try Self.check(key, field: "idempotencyKey", longest: 1024) }
        for (name, value) in self.headers where name.utf8.contains(0) || value.utf8.contains(0) {
            throw InvalidMessage(field: "headers", reason: "a name or a value contains a NUL")
        }
        let headersLength = self.headersLength
        if headersLength > Self.largestHeaders {
            throw InvalidMessage(
                field: "headers", reason: "has \(headersLength) bytes; at most \(Self.largestHeaders) are allowed")
        }
        if let deliverAt = self.deliverAt, !deliverAt.timeIntervalSince1970.isFinite {
            throw InvalidMessage(field: "deliverAt", reason: "is not a time")
        }
        try Self.check(self.options)
        let limit = min(maximumPayload, Self.largestPayload)
        if self.payload.count > limit {
            throw InvalidMessage(
                field: "payload", reason: "has \(self.payload.count) bytes; at most \(limit) are allowed")
        }
    }

    /// How many bytes the headers have as a JSON object as PostgreSQL writes it: `{"a": "b", "c": "d"}`.
    private var headersLength: Int {
        if self.headers.isEmpty { return 0 }
        return self.headers.reduce(2 * self.headers.count) { length, header in
            length + Self.quotedLength(header.key) + 2 + Self.quotedLength(header.value)
        }
    }

    /// The length of a string of JSON with its quotes and escapes (`escape_json` in the server's `utils/adt/json.c`).
    private static func quotedLength(_ text: String) -> Int {
        text.utf8.reduce(2) { length, byte in
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), 0x08, 0x09, 0x0A, 0x0C, 0x0D: length + 2
            case 0..<0x20: length + 6
            default: length + 1
            }
        }
    }

    private static func check(_ text: String, field: String, longest: Int) throws(InvalidMessage) {
        let length = text.utf8.count
        if length == 0 {
            throw InvalidMessage(field: field, reason: "is empty")
        }
        if length > longest {
            throw InvalidMessage(field: field, reason: "has \(length) bytes; at most \(longest) are allowed")
        }
        if text.utf8.contains(0) {
            throw InvalidMessage(field: field, reason: "contains a NUL")
        }
    }

    // What is refused here would be read back as a defect by the relay, and end among the dead letters.
    private static func check(_ options: MessageOptions) throws(InvalidMessage) {
        if let attempts = options.maximumAttempts, !(1...Int(Int32.max)).contains(attempts) {
            throw InvalidMessage(field: "options.maximumAttempts", reason: "is not between 1 and 2147483647")
        }
        if let delay = options.maximumDelay, delay < .zero || delay > .seconds(1_000_000_000) {
            throw InvalidMessage(field: "options.maximumDelay", reason: "is not between 0 and 1e9 seconds")
        }
    }
}

/// Why a message was refused when it was enqueued. The transaction is not rolled back by this error.
public struct InvalidMessage: Error, Sendable, Hashable, CustomStringConvertible {
    /// The name of the property of ``NewMessage`` that is wrong.
    public let field: String
    /// What is wrong with it. Lengths and limits, never the value itself.
    public let reason: String

    /// Creates the error.
    package init(field: String, reason: String) {
        self.field = field
        self.reason = reason
    }

    /// The field and the reason, safe to log.
    public var description: String { "invalid message: \(self.field) \(self.reason)" }
}
