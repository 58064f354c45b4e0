import OutboxHTTP
import OutboxRuntime

/// How long a receiver asks to be left alone (`Retry-After`, RFC 9110, 10.2.3): a number of seconds, or a date.
enum RetryAfter {
    /// - Parameters:
    ///   - now: The time here, in seconds since 1970. A date is compared with the receiver's own `Date` where there is one, so that
    ///     clocks may differ.
    ///   - longest: What is obeyed at most.
    /// - Returns: nil: nothing was asked that can be read, or no time at all.
    static func duration(of response: HTTPResponse, now: Int64, longest: Duration) -> Duration? {
        guard let text = response.value(of: "retry-after") else { return nil }
        return self.duration(text, date: response.value(of: "date"), now: now, longest: longest)
    }

    static func duration(_ text: String, date: String?, now: Int64, longest: Duration) -> Duration? {
        // More digits than fit are a long time as well.
        if !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) {
            return self.pause(Int64(text) ?? .max >> 8, longest: longest)
        }
        guard let end = HTTPDate.seconds(text, now: now) else { return nil }
        let beginning = date.flatMap { HTTPDate.seconds($0, now: now) } ?? now
        return self.pause(end - beginning, longest: longest)
    }

    private static func pause(_ seconds: Int64, longest: Duration) -> Duration? {
        seconds > 0 ? min(.seconds(min(seconds, .max >> 8)), longest) : nil
    }
}
