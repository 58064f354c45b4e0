import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// The terminal while the program has all of it: a screen of its own, on which nothing of what is typed appears, and keys that come one by one.
///
/// ``leave()`` gives it back as it was.
final class TerminalSession: Sendable {
    private struct State {
        /// The mode in which the terminal was; nil: it is in that mode.
        var mode: termios?
        /// What is on the screen; nil: unknown.
        var shown: [String]?
    }

    private let state = Mutex(State())
    private let input: Int32
    private let output: Descriptor

    /// - Parameters:
    ///   - input: Where keys come from.
    ///   - output: What is drawn on.
    init(input: Int32, output: Int32) {
        self.input = input
        self.output = Descriptor(output)
    }

    /// Takes the terminal, or takes it again after something else may have had it.
    func enter() {
        self.state.withLock { state in
            var mode = termios()
            guard unsafe tcgetattr(self.input, &mode) == 0 else { return }
            if state.mode == nil { state.mode = mode }
            state.shown = nil
            // Signals are still made of Ctrl-C and Ctrl-Z.
            mode.c_lflag &= ~tcflag_t(ICANON | ECHO | IEXTEN)
            unsafe withUnsafeMutableBytes(of: &mode.c_cc) { characters in
                unsafe characters[Int(VMIN)] = 1
                unsafe characters[Int(VTIME)] = 0
            }
            _ = unsafe tcsetattr(self.input, TCSANOW, &mode)
            // The other screen, without a cursor. The terminal wraps no lines: it alone knows how wide characters are.
            self.write("\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l")
        }
    }

    /// Gives the terminal back as it was. Where it was not taken, this does nothing.
    func leave() {
        self.state.withLock { state in
            guard var mode = state.mode else { return }
            state.mode = nil
            self.write("\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l")
            _ = unsafe tcsetattr(self.input, TCSANOW, &mode)
        }
    }

    /// Shows lines in place of those that are there; nothing while the terminal is given back.
    ///
    /// - Parameter isUnknown: Whether what is on the screen is not what was drawn last: after its size has changed.
    /// - Returns: Whether there still is a terminal.
    func draw(_ lines: [String], over isUnknown: Bool = false) -> Bool {
        self.state.withLock { state in
            guard state.mode != nil else { return true }
            let text = ScreenUpdate.text(lines, over: isUnknown ? nil : state.shown)
            state.shown = lines
            return text.isEmpty || self.write(text)
        }
    }

    @discardableResult
    private func write(_ text: String) -> Bool {
        self.output.writeAll(Array(text.utf8)[...]) == nil
    }
}
