import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// What is known of the place that an output goes to.
struct Terminal: Sendable {
    let descriptor: Int32
    /// Whether a person looks at it, and lines can be drawn again.
    let isInteractive: Bool
    /// Whether colours are wanted: on a terminal, unless `NO_COLOR` is set or it is a dumb one.
    let hasColour: Bool

    static let output = Terminal(descriptor: STDOUT_FILENO)
    static let error = Terminal(descriptor: STDERR_FILENO)

    private static let turn = Mutex(())

    private init(descriptor: Int32) {
        self.descriptor = descriptor
        let isTerminal = isatty(descriptor) == 1
        let isDumb = Environment["TERM"] == "dumb"
        self.isInteractive = isTerminal && !isDumb
        self.hasColour = isTerminal && !isDumb && (Environment["NO_COLOR"] ?? "").isEmpty
    }

    /// How many characters a line has; 80 where that cannot be known.
    var width: Int { self.size.width }

    /// How many lines there are, and how many characters each has; 24 and 80 where that cannot be known.
    var size: (width: Int, height: Int) {
        var size = winsize()
        let failed = unsafe ioctl(self.descriptor, UInt(TIOCGWINSZ), &size) != 0
        return (failed || size.ws_col == 0 ? 80 : Int(size.ws_col), failed || size.ws_row == 0 ? 24 : Int(size.ws_row))
    }

    /// The text in a colour, where there are colours.
    func styled(_ text: String, _ style: Style) -> String {
        self.hasColour ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
    }

    /// How a text stands out.
    enum Style: String {
        case bold = "1"
        case faint = "2"
        case red = "31"
        case green = "32"
        case yellow = "33"
        case cyan = "36"
    }

    /// Writes a text as it is; see ``write(_:)-([UInt8])``.
    @discardableResult
    func write(_ text: String) -> Bool {
        self.write(Array(text.utf8))
    }

    /// Writes bytes. If stdout does not take them (a full disk), the program ends and says so: half an output is no success.
    ///
    /// - Returns: Whether there still is a reader; false after the reader has closed its end.
    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool {
        let descriptor = Descriptor(self.descriptor)
        // A line of the log is in one piece, whatever else is written there.
        let failure =
            self.descriptor == STDERR_FILENO
            ? Self.turn.withLock { _ in descriptor.writeAll(bytes[...]) } : descriptor.writeAll(bytes[...])
        guard let failure else { return true }
        if self.descriptor == STDOUT_FILENO, !failure.isBrokenPipe {
            OutboxCommand.end(CommandFailure(.inputOutput, "stdout: \(failure.reason)"))
        }
        return !failure.isBrokenPipe
    }

    /// Writes a line.
    func print(_ line: String) {
        self.write(line + "\n")
    }
}

/// The environment's variables.
enum Environment {
    static subscript(name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }
}
