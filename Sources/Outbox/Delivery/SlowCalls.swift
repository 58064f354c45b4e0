/// Finds lanes whose calls take longer than a limit. It samples the lanes now and then, so no call has to read a clock: a slow call is
/// found after the limit and at most a quarter more.
///
/// A value type without clock or lock.
package struct SlowCalls: Sendable {
    private let limit: Duration
    /// Between two looks. Kept, for a division of durations takes as long as many an answer.
    private let interval: Duration
    /// The call that each lane was seen in, and since when.
    private var seen: [(call: UInt64, since: ContinuousClock.Instant)?]
    /// When to look next; nil: the lanes have not been sampled yet.
    private var nextLook: ContinuousClock.Instant?

    /// - Parameters:
    ///   - limit: How long a call may take.
    ///   - lanes: How many lanes there are.
    package init(limit: Duration, lanes: Int) {
        self.limit = limit
        self.interval = limit / 4
        self.seen = Array(repeating: nil, count: lanes)
    }

    /// When to look at the lanes.
    package mutating func due(now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        let due = self.nextLook ?? now
        self.nextLook = due
        return due
    }

    /// Samples the lanes.
    ///
    /// - Parameter call: The number of the call that a lane is in, if it is in one.
    /// - Returns: The lanes, and their calls, that are over the limit; each call once.
    package mutating func look(now: ContinuousClock.Instant, at call: (_ lane: Int) -> UInt64?) -> [(
        lane: Int, call: UInt64
    )] {
        self.nextLook = now + self.interval
        var slow: [(lane: Int, call: UInt64)] = []
        for lane in self.seen.indices {
            guard let current = call(lane) else {
                self.seen[lane] = nil
                continue
            }
            guard let seen = self.seen[lane], seen.call == current else {
                self.seen[lane] = (current, now)
                continue
            }
            if now - seen.since >= self.limit { slow.append((lane, current)) }
        }
        return slow
    }

    /// Nothing is being delivered: there is nothing to look at.
    package mutating func rest() {
        if self.nextLook == nil { return }
        self.nextLook = nil
        for lane in self.seen.indices { self.seen[lane] = nil }
    }
}
