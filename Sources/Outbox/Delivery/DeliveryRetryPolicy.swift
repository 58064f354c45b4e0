import OutboxRuntime

/// When a message that could not be delivered is tried again, and when it is given up.
///
/// The pause before attempt n + 1 is drawn evenly between 0 and `initialDelay × multiplier^(n-1)`, at most
/// `maximumDelay` ("full jitter", from "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
public struct DeliveryRetryPolicy: Sendable, Hashable {
    /// How often delivery is tried in all. Default 10.
    package var maximumAttempts: Int
    /// The longest pause before the second attempt. Default 1 s.
    package var initialDelay: Duration
    /// By what the longest pause grows with every attempt. Default 2.
    package var multiplier: Double
    /// What the longest pause never exceeds. Default 10 min.
    package var maximumDelay: Duration
    /// Whether the pause is drawn at random up to the longest (so that many messages that failed together are not
    /// tried together again) or always the longest. Default true.
    package var jitter: Bool

    /// Pauses that grow from attempt to attempt.
    public static func exponential(
        maximumAttempts: Int = 10, initialDelay: Duration = .seconds(1), multiplier: Double = 2,
        maximumDelay: Duration = .seconds(600), jitter: Bool = true
    ) -> DeliveryRetryPolicy {
        precondition(maximumAttempts > 0, "A message is tried at least once.")
        precondition(initialDelay >= .zero && maximumDelay >= .zero, "A delay is not negative.")
        precondition(multiplier >= 1, "Pauses do not shrink: a multiplier is at least 1.")
        return DeliveryRetryPolicy(
            maximumAttempts: maximumAttempts, initialDelay: initialDelay, multiplier: multiplier,
            maximumDelay: maximumDelay, jitter: jitter)
    }

    /// The same pause before each attempt.
    public static func constant(_ delay: Duration, maximumAttempts: Int = 10) -> DeliveryRetryPolicy {
        .exponential(
            maximumAttempts: maximumAttempts, initialDelay: delay, multiplier: 1, maximumDelay: delay, jitter: false)
    }

    /// No second attempt: a message that fails is dead at once.
    public static let never = DeliveryRetryPolicy.exponential(maximumAttempts: 1)
}

extension DeliveryRetryPolicy {
    /// What happens to a message after a failed attempt.
    package enum Decision: Hashable, Sendable {
        case retry(after: Duration)
        case exhausted
    }

    /// Decides after attempt number `attempts`, the first being 1.
    ///
    /// - Parameter requested: A delay that the handler asked for; it is taken as it is.
    package func decision(
        afterAttempts attempts: Int, requested: Duration? = nil, options: MessageOptions = MessageOptions(),
        random: inout some RandomNumberGenerator
    ) -> Decision {
        guard attempts < options.maximumAttempts ?? self.maximumAttempts else { return .exhausted }
        if let requested { return .retry(after: max(requested, .zero)) }
        return .retry(after: self.delay(afterAttempts: attempts, options: options, random: &random))
    }

    /// The pause after attempt number `attempts`.
    package func delay(
        afterAttempts attempts: Int, options: MessageOptions = MessageOptions(),
        random: inout some RandomNumberGenerator
    ) -> Duration {
        let backoff = Backoff(
            base: self.initialDelay, factor: self.multiplier, cap: options.maximumDelay ?? self.maximumDelay,
            jitter: self.jitter ? 1 : 0)
        return backoff.pause(earlierFailures: attempts - 1, random: &random)
    }
}
