/// What a janitor has found and done.
public struct JanitorReport: Sendable, Hashable {
    /// What became of a segment.
    package enum Outcome: String, Sendable, Hashable, CaseIterable {
        /// New messages went there.
        case current
        /// There was nothing in it.
        case empty
        /// It is kept until the retention is over.
        case retained
        /// A stream has not passed it yet, or it holds messages of a destination that no relay has ever had a route for.
        case unread
        /// A transaction that has written to it, or a long query, used it for longer than the janitor waits.
        case busy
        /// It was emptied.
        case truncated
    }

    /// A partition of the log.
    package struct Segment: Sendable, Hashable {
        /// Its number in the ring.
        package var number: Int
        /// Its size on disk before, indexes included.
        package var bytes: Int
        /// For how long new messages have gone there, or no longer.
        package var age: Duration
        /// What became of it.
        package var outcome: Outcome
    }

    /// The segments, by number.
    package var segments: [Segment]
    /// Which segment new messages go to from now on; nil: the same as before.
    public var advancedTo: Int?
    /// How many idempotency keys were removed, whose window was over.
    public var expiredKeys = 0
    /// When to look again if nothing is enqueued or delivered; nil: not at all.
    var next: Duration?
}
