/// Pauses that an application works out.
public struct CustomRetryStrategy: DeliveryRetryStrategy {
    /// How often delivery is tried in all.
    public let maximumAttempts: Int
    private let body: @Sendable (FailedAttempt) -> Duration

    fileprivate init(maximumAttempts: Int, body: @escaping @Sendable (FailedAttempt) -> Duration) {
        self.maximumAttempts = maximumAttempts
        self.body = body
    }

    /// The pause after an attempt.
    public func pause(after attempt: FailedAttempt) -> Duration { self.body(attempt) }
}

extension DeliveryRetryStrategy where Self == CustomRetryStrategy {
    /// Pauses that a closure works out:
    ///
    /// ```swift
    /// .handler(retry: .custom(maximumAttempts: 5) { attempt in .seconds(attempt.number * attempt.number) }) { message in … }
    /// ```
    ///
    /// A pause that depends on what went wrong is thrown by the handler, as ``DeliveryFailure/retry(after:_:)``.
    ///
    /// - Parameters:
    ///   - maximumAttempts: How often delivery is tried in all, at least 1. Default 10.
    ///   - pause: How long to wait after an attempt that has failed; see ``DeliveryRetryStrategy/pause(after:)``.
    public static func custom(
        maximumAttempts: Int = 10, _ pause: @escaping @Sendable (FailedAttempt) -> Duration
    ) -> Self {
        Self(maximumAttempts: maximumAttempts, body: pause)
    }
}
