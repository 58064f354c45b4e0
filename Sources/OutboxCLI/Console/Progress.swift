/// A line on stderr that says how far long work has come. Nothing is written unless stderr is a terminal.
struct Progress: ~Copyable {
    private let terminal: Terminal
    private let clock = ContinuousClock()
    private let began: ContinuousClock.Instant
    private var shown: ContinuousClock.Instant
    private var isShown = false

    init(on terminal: Terminal = .error) {
        self.terminal = terminal
        self.began = self.clock.now
        self.shown = self.began
    }

    /// Shows the count, at most four times a second.
    mutating func update(_ count: Int, _ noun: String) {
        guard self.terminal.isInteractive else { return }
        let now = self.clock.now
        guard now - self.shown >= .milliseconds(250) else { return }
        self.shown = now
        self.isShown = true
        let seconds = max((now - self.began).inSeconds, 0.001)
        self.terminal.write("\r\u{1B}[K\(count.grouped) \(noun), \(Int(Double(count) / seconds).grouped)/s")
    }

    deinit {
        if self.isShown { self.terminal.write("\r\u{1B}[K") }
    }
}

extension Int {
    /// The number with a comma between each three digits.
    var grouped: String {
        let digits = Array(String(self.magnitude))
        var text = self < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return text
    }
}
