/// How often delivery of a message is tried, and after which pauses.
///
/// ``exponential(maximumAttempts:initialDelay:multiplier:maximumDelay:jitter:)``, ``constant(_:maximumAttempts:)`` and ``never`` are
/// there; an application can bring another one, see <doc:OrderingAndRetries#Retries>.
///
/// A value: its answers depend on nothing but what it is asked. A message's own ``MessageOptions`` hold whatever the strategy says.
public protocol DeliveryRetryStrategy: Sendable {
    /// How often delivery is tried in all, at least 1. Default 10.
    var maximumAttempts: Int { get }

    /// How long to wait after an attempt that has failed. Less than nothing is nothing, and more than 10,000 days is as long as that.
    ///
    /// Called from any thread, and also for a message that was not tried because its destination, or an earlier message of its key,
    /// could not be delivered.
    func pause(after attempt: FailedAttempt) -> Duration
}

extension DeliveryRetryStrategy {
    /// 10.
    public var maximumAttempts: Int { 10 }
}

/// An attempt to deliver a message that has failed.
public struct FailedAttempt: Sendable, Hashable {
    /// Which it was, the first being 1.
    public var number: Int
    /// A number from 0 to 1, drawn for this attempt: for pauses that differ, so that messages that failed together are not tried
    /// together again.
    public var draw: Double
    /// The longest pause that the message itself allows; nil: it says nothing. A longer pause is cut to it.
    public var maximumDelay: Duration?

    /// Creates an attempt, to ask a strategy about it.
    public init(number: Int, draw: Double = 1, maximumDelay: Duration? = nil) {
        self.number = number
        self.draw = draw
        self.maximumDelay = maximumDelay
    }
}

extension DeliveryRetryStrategy {
    /// Decides after attempt number `attempts`, the first being 1.
    ///
    /// - Parameter requested: A delay that the handler asked for; it is taken as it is.
    func decision(
        afterAttempts attempts: Int, requested: Duration? = nil, options: MessageOptions = MessageOptions(),
        random: inout some RandomNumberGenerator
    ) -> DeliveryRetryDecision {
        guard attempts < options.maximumAttempts ?? self.maximumAttempts else { return .exhausted }
        if let requested { return .retry(after: max(requested, .zero)) }
        return .retry(after: self.delay(afterAttempts: attempts, options: options, random: &random))
    }

    /// The pause after attempt number `attempts`.
    func delay(
        afterAttempts attempts: Int, options: MessageOptions = MessageOptions(),
        random: inout some RandomNumberGenerator
    ) -> Duration {
        let attempt = FailedAttempt(
            number: attempts, draw: .random(in: 0...1, using: &random), maximumDelay: options.maximumDelay)
        let pause = max(self.pause(after: attempt), .zero)
        return options.maximumDelay.map { min(pause, $0) } ?? pause
    }
}

/// What happens to a message after a failed attempt.
enum DeliveryRetryDecision: Hashable, Sendable {
    case retry(after: Duration)
    case exhausted
}
