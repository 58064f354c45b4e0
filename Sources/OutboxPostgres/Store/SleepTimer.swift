/// When a pause ends, and when to look although no producer has rung.
///
/// Both stay as they are however often the relay is woken for other reasons meanwhile. A value type without I/O or clock.
struct SleepTimer {
    private var pauseEnd: ContinuousClock.Instant?
    private var fallbackDue: ContinuousClock.Instant?

    /// When the current pause ends, which begins now if there is none.
    mutating func pauseEnd(after duration: Duration, now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        let end = self.pauseEnd ?? now + duration
        self.pauseEnd = end
        return end
    }

    /// The pause is over, or something has ended it.
    mutating func endPause() { self.pauseEnd = nil }

    /// When to look unasked; nil: never.
    ///
    /// - Parameter interval: How long after the last look.
    mutating func fallback(after interval: Duration?, now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        if self.fallbackDue == nil { self.fallbackDue = interval.map { now + $0 } }
        return self.fallbackDue
    }

    /// A poll was made.
    ///
    /// - Parameter ofLog: Whether it looked at the log.
    mutating func polled(ofLog: Bool) {
        self.pauseEnd = nil
        if ofLog { self.fallbackDue = nil }
    }
}
