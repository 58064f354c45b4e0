import Outbox

/// When the relay is told that others have changed deferred messages, and which streams are known to have some that are due.
///
/// When it is told, the relay looks at the keys of all deferred messages, and an operator may change them one by one: so it is left
/// alone for a while after. A value type without I/O or clock.
struct DeferredNews {
    /// How long the relay is left alone.
    static let interval = Duration.seconds(1)

    /// Whether a message was deferred that was deferred already, so that it is not known how many a key has.
    var isUncertain = false
    /// Streams that have deferred messages that are due, which are read when they are asked for again.
    var dueStreams: Set<StreamID> = []
    private var told: ContinuousClock.Instant?
    /// When to tell; nil: the relay knows.
    private(set) var due: ContinuousClock.Instant?

    /// Others have changed deferred messages.
    ///
    /// - Returns: Whether to tell the relay now.
    mutating func heard(now: ContinuousClock.Instant) -> Bool {
        let due = self.told.map { $0 + Self.interval } ?? now
        self.due = due
        return self.take(now: now)
    }

    /// Something may have changed without word of it: to be told in a while.
    mutating func tellLater(now: ContinuousClock.Instant) { self.due = now + Self.interval }

    /// Whether to tell the relay now; it counts as told.
    mutating func take(now: ContinuousClock.Instant) -> Bool {
        if self.isUncertain {
            self.isUncertain = false
            return true
        }
        guard let due, now >= due else { return false }
        self.due = nil
        self.told = now
        return true
    }
}
