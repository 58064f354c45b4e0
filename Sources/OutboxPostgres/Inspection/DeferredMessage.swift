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
    /// Of that subscription; nil: of any. Default "main".
    package var subscription: String?
    /// With one of those numbers.
    package var ids: [Int64]?
    /// Addressed to that destination.
    package var destination: Destination?
    /// Deferred longer ago than that.
    package var olderThan: Duration?
    /// Deferred less long ago than that.
    package var newerThan: Duration?
    /// With that text in the last error, in that case of letters.
    package var errorContains: String?

    /// Creates a filter; without arguments it lets all of the subscription "main" through.
    public init(
        subscription: String? = "main", ids: [Int64]? = nil, destination: Destination? = nil,
        olderThan: Duration? = nil, newerThan: Duration? = nil, errorContains: String? = nil
    ) {
        self.subscription = subscription
        self.ids = ids
        self.destination = destination
        self.olderThan = olderThan
        self.newerThan = newerThan
        self.errorContains = errorContains
    }

    /// The parameters of deferred_filter.
    ///
    /// - Parameter canBeTried: Whether only what can be tried at once is meant.
    func binds(canBeTried: Bool = false) -> [LibPQValue] {
        [
            self.subscription.sqlValue, self.ids.map(LibPQValue.int8Array) ?? .null, (self.destination?.name).sqlValue,
            self.olderThan.map(\.inPostgresMicroseconds).sqlValue,
            self.newerThan.map(\.inPostgresMicroseconds).sqlValue,
            self.errorContains.sqlValue, .bool(canBeTried),
        ]
    }
}

/// Messages that have failed alike.
public struct FailureGroup: Sendable, Hashable {
    /// The messaging system that they are addressed to.
    public var destination: Destination
    /// Why they are not tried again; nil: they are.
    public var reason: Death.Reason?
    /// The error of one of them: those of the others differ by numbers of four digits and more, or by UUIDs, at most.
    public var error: String
    /// How many they are.
    public var messages: Int
    /// Since when the first of them has been deferred, or dead.
    public var firstAt: Date
    /// Since when the last one has.
    public var lastAt: Date

    /// Reads a row of the statements group_deferred and group_dead_letters.
    init(_ row: LibPQRow) throws(LibPQError) {
        self.destination = Destination(try row.decode("destination"))
        self.reason = try row.decode("reason", as: String?.self).flatMap { Death.Reason(rawValue: $0) }
        self.error = try row.decode("error")
        self.messages = try row.decode("messages", as: Int.self)
        self.firstAt = try row.decode("first_at")
        self.lastAt = try row.decode("last_at")
    }
}

extension Duration {
    /// At most 6000 years, so that what it is taken from remains a time that Postgres knows.
    var inPostgresMicroseconds: Int64 {
        let limit = 189_000_000_000.0
        return Int64(min(max(self.seconds, -limit), limit) * 1_000_000)
    }
}
