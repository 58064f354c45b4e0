/// Limits the lines of a log: the first ones within a window are written, the others are counted and written as one line at its end.
///
/// A value type without a clock: the time is an argument.
struct LineBudget: Sendable {
    /// How many lines are written one by one within the window.
    let lines: Int
    /// The window: for how long the other lines are counted.
    let window: Duration

    private var written = 0
    private var end: ContinuousClock.Instant?
    private var counted = 0
    private var last = ""

    init(lines: Int, within window: Duration) {
        self.lines = lines
        self.window = window
    }

    /// When ``take(now:)`` has something; nil: it has nothing.
    var due: ContinuousClock.Instant? { self.counted > 0 ? self.end : nil }

    /// Something happens.
    ///
    /// - Returns: Whether to write it as a line of its own.
    mutating func note(_ text: String, now: ContinuousClock.Instant) -> Bool {
        if self.end.map({ now >= $0 && self.counted == 0 }) ?? true {
            self.end = now + self.window
            self.written = 0
        }
        if self.written < self.lines, self.counted == 0 {
            self.written += 1
            return true
        }
        self.counted += 1
        self.last = text
        return false
    }

    /// What was counted and not written, and the last text of it. The next window begins with it.
    ///
    /// - Parameter isLast: Whether nothing follows, so that it cannot wait.
    mutating func take(now: ContinuousClock.Instant, isLast: Bool = false) -> (count: Int, last: String)? {
        guard self.counted > 0, let end = self.end, isLast || now >= end else { return nil }
        defer {
            self.counted = 0
            self.end = now + self.window
            // What goes on is counted on.
            self.written = self.lines
        }
        return (self.counted, self.last)
    }
}
