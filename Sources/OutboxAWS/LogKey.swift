/// The names of values in log messages.
enum LogKey {
    static let key = "outbox.aws.access_key_id"
    static let offset = "outbox.aws.clock_offset_s"
    static let reason = "outbox.aws.reason"
}
