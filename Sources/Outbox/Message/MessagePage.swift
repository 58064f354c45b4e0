#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A run of messages of one stream, in the order in which they are to be delivered, as a store read them.
///
/// A page owns what the store read; a ``Message`` is a reference to a page and a row. A column is decoded when it is
/// asked for, so a page that is delivered without looking costs no copy. Pages are immutable and may be read from any
/// thread.
public protocol MessagePage: AnyObject, Sendable {
    /// The stream that the page was read from.
    var stream: StreamID { get }
    /// The destination of every message of the page.
    var destination: Destination { get }
    /// Where the messages were read from.
    var origin: MessageOrigin { get }
    /// Whether the store guarantees that headers and options are valid, so that they need not be checked again.
    var isVerified: Bool { get }
    /// How many messages the page has.
    var count: Int { get }
    /// The sum of the lengths of payloads and headers in bytes: headers as they are stored, which is about what their JSON has.
    var byteCount: Int { get }

    /// The message's number, unique within its outbox.
    func id(at row: Int) -> Int64
    /// The hash of the message's key, 0 to 1023; of its id where it has no key.
    func slot(at row: Int) -> Int
    /// When the transaction that enqueued the message began.
    func createdAt(at row: Int) -> Date
    /// How often delivery was tried and failed before.
    func attempts(at row: Int) -> Int
    /// Whether the message's time has not come yet (it was read from the log before its `deliver_at`).
    func isScheduled(at row: Int) -> Bool
    /// Whether an earlier message of the same key is deferred (for messages read from ``MessageOrigin/deferred``).
    func isHeld(at row: Int) -> Bool
    /// Whether later messages of the same key already wait for this one (for ``MessageOrigin/deferred``).
    func isOrdered(at row: Int) -> Bool
    /// One of the message's texts; nil where it has none.
    func text(_ text: MessageText, at row: Int) -> String?
    /// A hash of the key, equal for equal keys; nil where there is no key.
    func keyHash(at row: Int) -> UInt64?
    /// Lends the payload. The buffer must not be used after `body` has returned.
    func withPayload<Result>(at row: Int, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result
    /// The payload where it lies, for as long as the page lives; nil where a page cannot promise that. Default nil.
    func payloadInPlace(at row: Int) -> UnsafeRawBufferPointer?
}

extension MessagePage {
    /// Nil.
    public func payloadInPlace(at row: Int) -> UnsafeRawBufferPointer? { nil }
}

/// The texts that a message may have beside its payload.
public enum MessageText: Int, Sendable, Hashable, CaseIterable {
    /// The route inside the destination.
    case route
    /// The key that orders the message.
    case key
    /// The headers, as the text of a JSON object.
    case headers
    /// What the message overrides of its destination's retry policy, as the text of a JSON object.
    case options

    /// Whether it is the text of a JSON object.
    package var isJSON: Bool { self == .headers || self == .options }
}

/// Where a page was read from.
public enum MessageOrigin: Sendable, Hashable {
    /// The log: what committed since the stream's cursor.
    case log
    /// The deferred messages whose time has come.
    case deferred
}

/// The number of a stream: the messages of one destination and a range of slots, read by one subscription.
public struct StreamID: Sendable, Hashable, CustomStringConvertible {
    /// The number, unique within an outbox.
    public let value: Int32

    /// Creates the id with that number.
    public init(_ value: Int32) {
        self.value = value
    }

    /// The number.
    public var description: String { "\(self.value)" }
}
