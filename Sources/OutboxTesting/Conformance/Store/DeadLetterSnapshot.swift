public import Outbox

/// What a store holds of a dead letter, as a ``StoreFixture`` sees it.
public struct DeadLetterSnapshot: Sendable, Hashable {
    /// The message's id.
    public var id: Int64
    /// How often delivery has been tried.
    public var attempts: Int
    /// Why it is not tried again.
    public var reason: Death.Reason
    /// What the last attempt failed with.
    public var error: String?

    /// Creates a snapshot.
    public init(id: Int64, attempts: Int, reason: Death.Reason, error: String?) {
        self.id = id
        self.attempts = attempts
        self.reason = reason
        self.error = error
    }
}
