public import Outbox

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

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
