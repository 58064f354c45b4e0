public import Outbox
import OutboxRuntime

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A message that waits for a later attempt, for its time, or behind another one of its key.
public struct DeferredMessage: Sendable, Hashable, Identifiable {
    /// The subscription for which it is to be delivered.
    public var subscription: String
    /// The message's number.
    public var id: Int64
    /// The messaging system that it is addressed to.
    public var destination: Destination
    /// Topic, queue, routing key or path inside the destination.
    public var route: String?
    /// The key that orders it.
    public var key: String?
    /// The headers, as the text of the JSON that is there: of a message that was undecodable, anything.
    public var headersJSON: String?
    /// When the transaction that enqueued it began.
    public var createdAt: Date
    /// How often delivery was tried.
    public var attempts: Int
    /// When it is tried next; nil: when those of its key before it are settled.
    public var nextAttemptAt: Date?
    /// Whether later messages of its key wait for it.
    public var isOrdered: Bool
    /// What the last attempt failed with; nil: it was not tried yet.
    public var error: String?
    /// Since when it has been deferred.
    public var deferredAt: Date
    /// The length of the payload in bytes.
    public var payloadSize: Int
    /// The content; nil in a list.
    public var payload: [UInt8]?
}

extension DeferredMessage {
    /// Reads a row of the statements list_deferred and find_deferred.
    init(_ row: LibPQRow) throws(LibPQError) {
        self.init(
            subscription: try row.decode("subscription"), id: try row.decode("id"),
            destination: Destination(try row.decode("destination")), route: try row.decode("route"),
            key: try row.decode("key"), headersJSON: try row.decode("headers"), createdAt: try row.decode("created_at"),
            attempts: try row.decode("attempts"), nextAttemptAt: try row.decode("next_attempt_at", as: Date?.self),
            isOrdered: try row.decode("ordered"), error: try row.decode("last_error"),
            deferredAt: try row.decode("deferred_at"), payloadSize: try row.decode("payload_size"),
            payload: try row.decode("payload"))
    }
}

/// Which deferred messages are meant: those of which everything holds that is given.
public struct DeferredFilter: Sendable, Hashable {
    package var common: FailureFilter

    /// Creates a filter; without arguments it lets all of the subscription "main" through.
    public init(
        subscription: String? = "main", ids: [Int64]? = nil, destination: Destination? = nil,
        olderThan: Duration? = nil, newerThan: Duration? = nil, errorContains: String? = nil
    ) {
        self.common = FailureFilter(
            subscription: subscription, ids: ids, destination: destination, olderThan: olderThan, newerThan: newerThan,
            errorContains: errorContains)
    }

    /// The parameters of deferred_filter.
    ///
    /// - Parameter canBeTried: Whether only what can be tried at once is meant.
    func binds(canBeTried: Bool = false) -> [LibPQValue] { self.common.binds + [.bool(canBeTried)] }
}
