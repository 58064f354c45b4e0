/// When messages may be handed over, so that there are no more of them a second than a limit lets through.
///
/// Each reserves the time at which it may begin, and the next one a moment later: the generic cell rate algorithm (ITU-T I.371), with a tolerance of
/// ``span``. A value type without a clock.
package struct RateSchedule: Sendable {
    /// What was not used of that time may be made up for, and as many messages as belong to it are handed over at once at most.
    package static let span = Duration.milliseconds(100)

    /// How many messages are handed over at once at most.
    package let mostAtOnce: Int
    /// Between two messages.
    private let interval: Duration
    private var next: ContinuousClock.Instant

    /// - Parameters:
    ///   - rate: Messages a second.
    ///   - now: The time.
    package init(_ rate: Double, now: ContinuousClock.Instant) {
        self.interval = .seconds(1 / rate)
        self.mostAtOnce = max(1, Int(rate * (Self.span / .seconds(1))))
        self.next = now
    }

    /// Reserves a time for so many messages that are handed over together.
    ///
    /// - Returns: When that may be; it can be past.
    package mutating func reserve(_ count: Int, now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        let start = max(self.next, now - Self.span)
        self.next = start + self.interval * count
        return start
    }

    /// So many messages were not there to be handed over after all.
    package mutating func giveBack(_ count: Int) { self.next -= self.interval * count }
}
