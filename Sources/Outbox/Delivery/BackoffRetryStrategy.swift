package import OutboxRuntime

/// The same number of attempts for all messages, with pauses that grow or stay the same.
///
/// The pause before attempt n + 1 is drawn evenly between 0 and `initialDelay × multiplier^(n-1)`, at most
/// `maximumDelay` ("full jitter", from "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
public struct BackoffRetryStrategy: DeliveryRetryStrategy, Hashable {
    private var attempts: Int?
    private var initialDelay: Duration?
    private var multiplier: Double?
    private var maximumDelay: Duration?
    private var jitter: Bool?

    fileprivate init(
        attempts: Int?, initialDelay: Duration? = nil, multiplier: Double? = nil, maximumDelay: Duration? = nil,
        jitter: Bool? = nil
    ) {
        self.attempts = attempts
        self.initialDelay = initialDelay
        self.multiplier = multiplier
        self.maximumDelay = maximumDelay
        self.jitter = jitter
    }

    /// The pauses where nothing is given.
    package static let usual = Backoff(base: .seconds(1), factor: 2, cap: .seconds(600), jitter: 1)

    /// How often delivery is tried in all. Default 10.
    public var maximumAttempts: Int { self.attempts ?? 10 }

    /// The pause after an attempt.
    public func pause(after attempt: FailedAttempt) -> Duration {
        let backoff = self.backoff(maximumDelay: attempt.maximumDelay)
        return backoff.pause(earlierFailures: attempt.number - 1, draw: attempt.draw)
    }

    /// What is given, with the defaults of the rest.
    ///
    /// - Parameter maximumDelay: What the longest pause never exceeds instead, if it is not nil.
    private func backoff(maximumDelay: Duration? = nil) -> Backoff {
        Backoff(
            base: self.initialDelay ?? Self.usual.base, factor: self.multiplier ?? Self.usual.factor,
            cap: maximumDelay ?? self.maximumDelay ?? Self.usual.cap,
            jitter: self.jitter.map { $0 ? 1 : 0 } ?? Self.usual.jitter)
    }

    /// What cannot be; nil: all can.
    var defect: InvalidSetting? {
        let backoff = self.backoff()
        if let defect = InvalidSetting.defect(of: "retry.initialDelay", backoff.base) { return defect }
        // Nor is it NaN, which is not less than 1 either.
        if !(backoff.factor >= 1) { return InvalidSetting("retry.multiplier", "is at least 1: pauses do not shrink") }
        return InvalidSetting.defect(of: "retry.maximumDelay", backoff.cap)
    }

    /// The upper of two strategies, if there is one; numbers that it leaves out are those of the lower.
    static func merge(
        _ upper: (any DeliveryRetryStrategy)?, over lower: (any DeliveryRetryStrategy)?
    ) -> (any DeliveryRetryStrategy)? {
        guard var merged = upper as? Self, let lower = lower as? Self else { return upper ?? lower }
        merged.attempts = merged.attempts ?? lower.attempts
        merged.initialDelay = merged.initialDelay ?? lower.initialDelay
        merged.multiplier = merged.multiplier ?? lower.multiplier
        merged.maximumDelay = merged.maximumDelay ?? lower.maximumDelay
        merged.jitter = merged.jitter ?? lower.jitter
        return merged
    }
}

extension DeliveryRetryStrategy where Self == BackoffRetryStrategy {
    /// Pauses that grow from attempt to attempt. What is left out, or nil, has its default.
    ///
    /// - Parameters:
    ///   - maximumAttempts: How often delivery is tried in all, at least 1. Default 10.
    ///   - initialDelay: The longest pause before the second attempt. Default 1 s.
    ///   - multiplier: By what the longest pause grows with every attempt, at least 1. Default 2.
    ///   - maximumDelay: What the longest pause never exceeds. Default 10 min.
    ///   - jitter: Whether the pause is drawn at random up to the longest, so that many messages that failed together are not
    ///     tried together again, or always the longest. Default true.
    public static func exponential(
        maximumAttempts: Int? = nil, initialDelay: Duration? = nil, multiplier: Double? = nil,
        maximumDelay: Duration? = nil, jitter: Bool? = nil
    ) -> Self {
        Self(
            attempts: maximumAttempts, initialDelay: initialDelay, multiplier: multiplier, maximumDelay: maximumDelay,
            jitter: jitter)
    }

    /// The same pause before each attempt; 10 attempts by default.
    public static func constant(_ delay: Duration, maximumAttempts: Int? = nil) -> Self {
        Self(attempts: maximumAttempts, initialDelay: delay, multiplier: 1, maximumDelay: delay, jitter: false)
    }

    /// No second attempt: a message that fails is dead at once.
    public static var never: Self { Self(attempts: 1) }
}
