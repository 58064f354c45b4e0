import OutboxRuntime
import Synchronization

/// How long what was throttled waits: longer each time that it is throttled again after a pause, until an answer throttles nothing.
final class ThrottlePause: Sendable {
    private static let backoff = Backoff(base: .milliseconds(250), cap: .seconds(20), jitter: 0.5)
    private struct State {
        var earlier = 0
        /// Before then, an answer is to a request that was sent before the pause, and says nothing more.
        var end: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    /// The service throttles requests.
    func next(at now: ContinuousClock.Instant = .now) -> Duration {
        self.state.withLock { state in
            if let end = state.end, now < end { return now.duration(to: end) }
            let pause = Self.pause(state.earlier)
            state.earlier = min(state.earlier + 1, 20)
            state.end = now + pause
            return pause
        }
    }

    /// How long messages of a request wait that were throttled while others were not, after so many pauses.
    static func pause(_ earlier: Int) -> Duration {
        var random = SystemRandomNumberGenerator()
        return self.backoff.pause(earlierFailures: earlier, random: &random)
    }

    /// The service takes requests.
    func reset() { self.state.withLock { $0 = State() } }
}
