/// A block of lines that is drawn again and again: in its place on a terminal, else one below the other.
struct Screen: ~Copyable {
    private let terminal: Terminal
    private var drawn = 0
    private var hasBegun = false

    init(on terminal: Terminal) {
        self.terminal = terminal
    }

    /// Shows the lines, as far as there is room for them.
    ///
    /// - Returns: Whether somebody is still there to read them.
    mutating func show(_ lines: [String]) -> Bool {
        guard self.terminal.isInteractive else {
            defer { self.hasBegun = true }
            return self.terminal.write((self.hasBegun ? "\n" : "") + lines.map { $0 + "\n" }.joined())
        }
        let height = max(self.terminal.size.height - 1, 1)
        let shown =
            lines.count <= height ? lines : lines.prefix(height - 1) + ["… \(lines.count - height + 1) lines more"]
        let up = self.drawn > 0 ? "\u{1B}[\(self.drawn)A" : ""
        self.drawn = shown.count
        // One write, so that nothing flickers. Lines are cut by the terminal, which knows how wide characters are and whether
        // it has been resized.
        return self.terminal.write(
            "\u{1B}[?25l\u{1B}[?7l" + up + "\r" + shown.map { "\u{1B}[2K" + $0 + "\n" }.joined()
                + "\u{1B}[J\u{1B}[?7h\u{1B}[?25h")
    }
}
