/// When outcomes are committed: often enough that little is delivered again after a crash, seldom enough that the cursor's row
/// is hardly ever written.
///
/// A value type without a clock: the time is an argument.
package struct CommitSchedule: Sendable {
    /// The shortest time between two commits.
    package var interval: Duration
    /// How many messages are worth a commit while more are on their way.
    package var messages: Int
    /// The longest time that something settled waits for the others.
    package var maximumDelay: Duration

    private var lastCommit: ContinuousClock.Instant?
    private var oldest: ContinuousClock.Instant?

    package enum Decision: Hashable, Sendable {
        case now
        case at(ContinuousClock.Instant)
        /// There is nothing to commit.
        case nothing
    }

    package init(interval: Duration, messages: Int, maximumDelay: Duration) {
        self.interval = interval
        self.messages = messages
        self.maximumDelay = maximumDelay
    }

    /// - Parameters:
    ///   - committable: How many settled messages could be committed.
    ///   - isIdle: Whether nothing else is on its way.
    ///   - isFull: Whether nothing more can be read until something is committed.
    package mutating func decide(
        now: ContinuousClock.Instant, committable: Int, isIdle: Bool, isFull: Bool
    ) -> Decision {
        guard committable > 0 else {
            self.oldest = nil
            return .nothing
        }
        let oldest = self.oldest ?? now
        self.oldest = oldest
        if isFull { return .now }
        let earliest = self.lastCommit.map { $0 + self.interval } ?? now
        if isIdle || committable >= self.messages { return now >= earliest ? .now : .at(earliest) }
        let latest = max(earliest, oldest + self.maximumDelay)
        return now >= latest ? .now : .at(latest)
    }

    /// A commit was made.
    package mutating func committed(at now: ContinuousClock.Instant) {
        self.lastCommit = now
        self.oldest = nil
    }
}
