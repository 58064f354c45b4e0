/// The names of values in log messages and spans.
///
/// A key that only one transport has stands with that transport, in its own `LogKey`.
package enum LogKey {
    package static let attempt = "outbox.attempt"
    package static let attempts = "outbox.attempts"
    package static let count = "outbox.count"
    package static let destination = "outbox.destination"
    package static let downFor = "outbox.down_for_ms"
    package static let error = "outbox.error"
    package static let id = "outbox.id"
    package static let reason = "outbox.reason"
    package static let retryAfter = "outbox.retry_after_ms"
    package static let streams = "outbox.streams"
    package static let transport = "outbox.transport"
}
