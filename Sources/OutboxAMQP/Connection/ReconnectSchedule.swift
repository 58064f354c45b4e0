import Outbox
import OutboxRuntime

/// When to try again to reach the broker: at once after a connection that has served, else after a pause that doubles, with
/// full jitter.
struct ReconnectSchedule {
    private let backoff: Backoff
    private var failures = 0

    init(_ settings: AMQPConfiguration.Connection) {
        self.backoff = Backoff(base: settings.initialDelay, cap: settings.maximumDelay)
    }

    /// No host could be reached.
    ///
    /// - Parameter random: From 0 to 1.
    /// - Returns: For how long to wait.
    mutating func failed(random: Double) -> Duration {
        defer { self.failures += 1 }
        return self.backoff.pause(earlierFailures: self.failures, draw: random)
    }

    /// A connection is lost.
    ///
    /// - Parameters:
    ///   - hasServed: Whether a message was confirmed on it, or it has lasted. A broker that takes connections only to drop
    ///     them is as good as one that is not there.
    ///   - random: From 0 to 1.
    /// - Returns: For how long to wait.
    mutating func lost(hasServed: Bool, random: Double) -> Duration {
        if !hasServed { return self.failed(random: random) }
        self.failures = 0
        return .zero
    }
}
