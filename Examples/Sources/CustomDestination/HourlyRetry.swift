import Outbox

/// Soon at first, because most failures pass; then once an hour, for a week.
struct HourlyRetry: DeliveryRetryStrategy {
    let maximumAttempts = 4 + 7 * 24

    func pause(after attempt: FailedAttempt) -> Duration {
        attempt.number <= 4 ? .seconds(1 << attempt.number) : .seconds(3600)
    }
}
