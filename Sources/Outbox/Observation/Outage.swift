/// The time in which a destination is down, of which the log is told again from time to time: who looks at the last minutes of a log sees it too.
///
/// A value type without a clock: the time is an argument.
struct Outage: Sendable {
    /// After how long it is told again.
    static let interval = Duration.seconds(300)

    let since: ContinuousClock.Instant
    private(set) var reason: String
    /// When it is told again.
    private(set) var due: ContinuousClock.Instant

    /// It begins, and is told.
    init(reason: String, now: ContinuousClock.Instant) {
        self.since = now
        self.reason = reason
        self.due = now + Self.interval
    }

    /// It has another reason, and is told.
    mutating func changed(reason: String, now: ContinuousClock.Instant) {
        self.reason = reason
        self.due = now + Self.interval
    }

    /// - Returns: Whether to tell it now.
    mutating func take(now: ContinuousClock.Instant) -> Bool {
        if now < self.due { return false }
        self.due = now + Self.interval
        return true
    }
}
