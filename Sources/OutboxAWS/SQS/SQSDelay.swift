import OutboxRuntime

/// How long a message is hidden at first.
enum SQSDelay {
    /// Whole seconds, rounded up, of a time such as `30s`; nil: it is none, or longer than 15 minutes.
    static func seconds(_ text: String) -> Int? {
        guard let duration = try? DurationText.duration(text), duration >= .zero, duration <= .seconds(900) else {
            return nil
        }
        return Int(duration.seconds.rounded(.up))
    }
}
