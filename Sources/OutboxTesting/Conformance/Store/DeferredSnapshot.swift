#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// What a store holds of a deferred message, as a ``StoreFixture`` sees it.
public struct DeferredSnapshot: Sendable, Hashable {
    /// The message's id.
    public var id: Int64
    /// How often delivery has been tried.
    public var attempts: Int
    /// When it is tried next; nil: when the earlier deferred messages of its key are settled.
    public var nextAttemptAt: Date?
    /// Whether later messages of its key wait for it.
    public var isOrdered: Bool
    /// What the last attempt failed with.
    public var error: String?

    /// Creates a snapshot.
    public init(id: Int64, attempts: Int, nextAttemptAt: Date?, isOrdered: Bool, error: String?) {
        self.id = id
        self.attempts = attempts
        self.nextAttemptAt = nextAttemptAt
        self.isOrdered = isOrdered
        self.error = error
    }
}
