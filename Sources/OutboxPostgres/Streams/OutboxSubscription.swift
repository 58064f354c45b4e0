/// What a subscription has, as one snapshot of the database shows it.
public struct OutboxSubscription: Sendable, Hashable {
    /// The name under which its cursors are kept.
    public var name: String
    /// How many streams it has.
    public var streams: Int
    /// Of how many destinations.
    public var destinations: Int
    /// Messages in the log that it has not handled.
    public var lag: OutboxStatus.Count
    /// How long ago the oldest of them was enqueued; nil: there are none.
    public var lagTime: Duration?
    /// Messages that wait for a later attempt, or for their time.
    public var deferred: OutboxStatus.Count
    /// Messages that are not tried again.
    public var dead: OutboxStatus.Count
    /// The sessions of its relays, those that deliver first.
    public var relays: [OutboxStatus.RelayProcess]

    /// What was removed with a subscription.
    public struct Removal: Sendable, Hashable {
        /// How many streams.
        public var streams: Int
        /// How many deferred messages.
        public var deferred: Int
        /// How many dead letters.
        public var dead: Int
    }
}
