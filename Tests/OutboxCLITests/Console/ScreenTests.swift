import Testing

@testable import OutboxCLI

/// What is drawn again and again.
@Suite(.timeLimit(.minutes(10))) struct ScreenTests {
    /// What is too long ends with an ellipsis, where a terminal would show the last character of the line.
    @Test(arguments: [
        ("relay", 5, "relay"), ("relay", 4, "rel…"), ("relay", 1, "…"), ("", 3, ""), ("日本語", 2, "日…"),
        ("\u{1B}[1mrelay\u{1B}[0m", 5, "\u{1B}[1mrelay\u{1B}[0m"),
        ("\u{1B}[1mrelay\u{1B}[0m", 3, "\u{1B}[1mre…\u{1B}[0m"),
        ("a\u{1B}[1mm\u{1B}[0mz", 2, "a\u{1B}[1m…\u{1B}[0m"),
    ])
    func aLineIsCut(_ line: String, width: Int, cut: String) {
        #expect(Screen.cut(line, to: width) == cut)
    }
}
