import OutboxRuntime
import Synchronization

/// How long a throttled message waits: longer with each answer that throttles, until one does not.
final class ThrottlePause: Sendable {
    private static let backoff = Backoff(base: .milliseconds(250), cap: .seconds(20), jitter: 0.5)
    private let earlier = Mutex(0)

    /// Another answer throttles.
    func next() -> Duration {
        var random = SystemRandomNumberGenerator()
        let earlier = self.earlier.withLock { earlier in
            defer { earlier = min(earlier + 1, 20) }
            return earlier
        }
        return Self.backoff.pause(earlierFailures: earlier, random: &random)
    }

    /// An answer took everything.
    func reset() { self.earlier.withLock { $0 = 0 } }
}
