#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// What a store holds of a deferred message, as a ``StoreFixture`` sees it.
public struct DeferredSnapshot: Sendable, Hashable {
    /// The message's id.
    package var id: Int64
    /// How often delivery has been tried.
    package var attempts: Int
    /// When it is tried next; nil: when the earlier deferred messages of its key are settled.
    package var nextAttemptAt: Date?
    /// Whether later messages of its key wait for it.
    package var isOrdered: Bool
    /// What the last attempt failed with.
    package var error: String?

    /// Creates a snapshot.
    public init(id: Int64, attempts: Int, nextAttemptAt: Date?, isOrdered: Bool, error: String?) {
        self.id = id
        self.attempts = attempts
        self.nextAttemptAt = nextAttemptAt
        self.isOrdered = isOrdered
        self.error = error
    }
}
