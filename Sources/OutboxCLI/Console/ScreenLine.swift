/// A line of text for a terminal, in one style.
struct ScreenLine: Hashable, Sendable {
    var text: String
    /// How it stands out; nil: it does not.
    var style: Terminal.Style?

    init(_ text: String, _ style: Terminal.Style? = nil) {
        self.text = text
        self.style = style
    }

    /// The line with so many characters at most, an ellipsis for what is left out included.
    func cut(to width: Int) -> ScreenLine {
        ScreenLine(Screen.cut(self.text, to: max(width, 1)), self.style)
    }

    /// The line as it is written to a terminal.
    func text(on terminal: Terminal) -> String {
        guard let style, !self.text.isEmpty else { return self.text }
        return terminal.styled(self.text, style)
    }
}
