import OutboxRuntime
import Synchronization

/// How long messages wait that the service did not take because too much was sent: longer, the more often it happens in a row.
final class Throttle: Sendable {
    private static let backoff = Backoff(base: .seconds(1), cap: .seconds(60), jitter: 0.5)
    private let failures = Mutex(0)

    /// Something was taken.
    func clear() { self.failures.withLock { $0 = 0 } }

    /// How long to wait after one more refusal.
    ///
    /// - Parameter delay: What the service has asked for.
    func pause(atLeast delay: Duration?) -> Duration {
        let earlier = self.failures.withLock { failures in
            defer { failures += 1 }
            return failures
        }
        var random = SystemRandomNumberGenerator()
        let pause = Self.backoff.pause(earlierFailures: earlier, random: &random)
        return max(pause, min(delay ?? .zero, .seconds(3600)))
    }
}
