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
    /// - Returns: Whether there still is a reader.
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
        let width = self.terminal.width
        // One write, so that nothing flickers. The terminal does not wrap lines, for it alone knows how wide characters are and
        // whether it has been resized; but it would write all that is too long to its last column.
        return self.terminal.write(
            "\u{1B}[?25l\u{1B}[?7l" + up + "\r" + shown.map { "\u{1B}[2K" + Self.cut($0, to: width) + "\n" }.joined()
                + "\u{1B}[J\u{1B}[?7h\u{1B}[?25h")
    }

    /// A line with so many characters at most, an ellipsis for what is left out included. Colours take no room, and all stay.
    static func cut(_ line: String, to width: Int) -> String {
        // Where characters are that take room: not those of a colour, `ESC [ … m`.
        var texts: [String.Index] = []
        var isColour = false
        for index in line.indices {
            if line[index] == "\u{1B}" { isColour = true }
            if !isColour { texts.append(index) }
            if isColour, line[index] == "m" { isColour = false }
        }
        guard texts.count > width, width > 0 else { return line }
        let left = Set(texts[width...])
        let last = texts[width - 1]
        let cut = line.indices.compactMap { index -> Character? in
            if index == last { return "…" }
            return left.contains(index) ? nil : line[index]
        }
        return String(cut)
    }
}
