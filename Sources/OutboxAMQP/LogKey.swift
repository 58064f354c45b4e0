/// The names of values in log messages.
enum LogKey {
    static let host = "outbox.amqp.host"
    static let reason = "outbox.amqp.reason"
}
