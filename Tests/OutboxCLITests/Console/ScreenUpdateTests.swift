import Testing

@testable import OutboxCLI

/// What is written so that a terminal shows other lines.
@Suite(.timeLimit(.minutes(10))) struct ScreenUpdateTests {
    /// Whatever was shown before, the screen is as if it had been drawn at once.
    @Test func whatIsDrawnOverIsAsIfDrawnAtOnce() {
        var random = SystemRandomNumberGenerator()
        var screen = TerminalScreen(width: 12, height: 5)
        screen.write("\u{1B}[?1049h\u{1B}[?7lbefore\r\nthat")
        var shown: [String]?
        for _ in 0..<2000 {
            let lines = (0..<Int.random(in: 0...5, using: &random)).map { _ in
                String(
                    repeating: ["a", "b", "日"].randomElement(using: &random)!,
                    count: [0, 3, 12].randomElement(using: &random)!)
            }
            screen.write(ScreenUpdate.text(lines, over: shown))
            shown = lines
            #expect(screen.lines == lines + Array(repeating: "", count: 5 - lines.count))
            #expect(screen.overflow == 0 && screen.unknown.isEmpty)
        }
    }

    @Test func nothingIsWrittenWhereNothingChanges() {
        #expect(ScreenUpdate.text(["a", "b"], over: ["a", "b"]).isEmpty)
        #expect(ScreenUpdate.text(["a", "c"], over: ["a", "b"]) == "\u{1B}[2;1H\u{1B}[2Kc")
    }
}
