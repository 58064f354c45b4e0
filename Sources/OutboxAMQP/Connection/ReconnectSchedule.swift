import Outbox

/// When to try again to reach the broker: at once after a connection that has served, else after a pause that doubles, with
/// full jitter.
struct ReconnectSchedule {
    private let initialDelay: Duration
    private let maximumDelay: Duration
    private var failures = 0

    init(_ settings: AMQPConfiguration.Connection) {
        self.initialDelay = settings.initialDelay
        self.maximumDelay = settings.maximumDelay
    }

    /// No host could be reached.
    ///
    /// - Parameter random: From 0 to 1.
    /// - Returns: For how long to wait.
    mutating func failed(random: Double) -> Duration {
        let longest = min(self.initialDelay * (1 << min(self.failures, 30)), self.maximumDelay)
        self.failures += 1
        return longest * random
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
