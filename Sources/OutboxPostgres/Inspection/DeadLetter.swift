public import Outbox
import OutboxRuntime

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A message that is not tried again.
public struct DeadLetter: Sendable, Hashable, Identifiable {
    /// The subscription for which it was to be delivered.
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
    /// Why it is not tried again.
    public var reason: Death.Reason
    /// What the last attempt failed with.
    public var error: String?
    /// When it was given up.
    public var diedAt: Date
    /// The length of the payload in bytes.
    public var payloadSize: Int
    /// The content; nil in a list.
    public var payload: [UInt8]?
}

extension DeadLetter {
    /// Reads a row of the statements list_dead_letters and find_dead_letter.
    init(_ row: LibPQRow) throws(LibPQError) {
        guard let reason = Death.Reason(rawValue: try row.decode("reason", as: String.self)) else {
            throw LibPQError(.decoding, "a dead letter's reason is none that this program knows")
        }
        self.init(
            subscription: try row.decode("subscription"), id: try row.decode("id"),
            destination: Destination(try row.decode("destination")), route: try row.decode("route"),
            key: try row.decode("key"), headersJSON: try row.decode("headers"), createdAt: try row.decode("created_at"),
            attempts: try row.decode("attempts"), reason: reason, error: try row.decode("last_error"),
            diedAt: try row.decode("died_at"), payloadSize: try row.decode("payload_size"),
            payload: try row.decode("payload"))
    }
}

/// Which dead letters are meant: those of which everything holds that is given.
public struct DeadLetterFilter: Sendable, Hashable {
    /// What is asked of deferred messages too.
    package var common: FailureFilter
    /// Given up for that reason.
    package var reason: Death.Reason?

    /// Creates a filter; without arguments it lets all of the subscription "main" through.
    public init(
        subscription: String? = "main", ids: [Int64]? = nil, destination: Destination? = nil,
        olderThan: Duration? = nil, newerThan: Duration? = nil, reason: Death.Reason? = nil,
        errorContains: String? = nil
    ) {
        self.common = FailureFilter(
            subscription: subscription, ids: ids, destination: destination, olderThan: olderThan, newerThan: newerThan,
            errorContains: errorContains)
        self.reason = reason
    }

    /// The parameters of dead_letter_filter.
    var binds: [LibPQValue] { self.common.binds + [(self.reason?.rawValue).sqlValue] }
}
