/// The names of values in log messages.
enum LogKey {
    static let pause = "outbox.webhook.pause"
    static let reason = "outbox.webhook.reason"
    static let receiver = "outbox.webhook.receiver"
    static let url = "outbox.webhook.url"
}
