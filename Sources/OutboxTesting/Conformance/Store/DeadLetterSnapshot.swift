public import Outbox

/// What a store holds of a dead letter, as a ``StoreFixture`` sees it.
public struct DeadLetterSnapshot: Sendable, Hashable {
    /// The message's id.
    package var id: Int64
    /// How often delivery has been tried.
    package var attempts: Int
    /// Why it is not tried again.
    package var reason: Death.Reason
    /// What the last attempt failed with.
    package var error: String?

    /// Creates a snapshot.
    public init(id: Int64, attempts: Int, reason: Death.Reason, error: String?) {
        self.id = id
        self.attempts = attempts
        self.reason = reason
        self.error = error
    }
}
