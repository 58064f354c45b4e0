import Foundation
import Synchronization
import TestSupport
import Testing

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// A terminal without a person, on which a program runs.
final class PseudoTerminal: Sendable {
    /// How a terminal hands out what is typed.
    struct Mode: Hashable {
        var input: tcflag_t
        var output: tcflag_t
        var control: tcflag_t
        var local: tcflag_t
        var characters: [UInt8]

        /// Whether lines are edited by the terminal, and shown as they are typed.
        var isForLines: Bool { self.local & tcflag_t(ICANON) != 0 && self.local & tcflag_t(ECHO) != 0 }
    }

    struct Failure: Error {}

    private let master: Int32
    /// Keeps the terminal there when no program has it.
    private let slave: Int32
    private let path: String
    private let content: Mutex<TerminalScreen>
    private let isOver = Atomic(false)

    private init(width: Int, height: Int) throws {
        self.content = Mutex(TerminalScreen(width: width, height: height))
        var (master, slave): (Int32, Int32) = (-1, -1)
        guard unsafe openpty(&master, &slave, nil, nil, nil) == 0, let name = unsafe ttyname(slave) else {
            throw Failure()
        }
        (self.master, self.slave) = (master, slave)
        self.path = unsafe String(cString: name)
        // A program that has a terminal of its own would be the last to get it.
        _ = fcntl(self.master, F_SETFD, FD_CLOEXEC)
        _ = fcntl(self.slave, F_SETFD, FD_CLOEXEC)
        self.resize(width: width, height: height)
        Thread.detachNewThread { [self] in self.read() }
    }

    /// Runs a shell script in which `$outbox` is the program and `"$@"` its options for an outbox, on a terminal.
    ///
    /// - Parameter body: What the person does. It ends the program; if it throws, the terminal is taken away.
    /// - Returns: What came of the script; its output is on the terminal.
    static func run(
        _ script: String, on outbox: TestOutbox, width: Int = 80, height: Int = 24,
        environment: [String: String] = [:], _ body: (PseudoTerminal) async throws -> Void
    ) async throws -> Program.Ending {
        let terminal = try PseudoTerminal(width: width, height: height)
        var variables = ["TERM": "xterm", "NO_COLOR": ""].merging(environment) { $1 }
        variables["tty"] = terminal.path
        variables["script"] = "set -- --postgres \"$url\" --schema \"$schema\"\n" + script
        variables["url"] = outbox.url
        variables["schema"] = outbox.schema
        async let ending = Program.shell(
            #"exec setsid -w -c /bin/sh -c "$script" <"$tty" >"$tty" 2>&1"#, variables)
        do {
            try await body(terminal)
        } catch {
            terminal.hangUp()
            _ = try await ending
            throw error
        }
        let result = try await ending
        terminal.hangUp()
        return result
    }

    /// What is shown.
    var screen: TerminalScreen { self.content.withLock { $0 } }

    /// The mode that the terminal is in.
    var mode: Mode {
        var mode = termios()
        _ = unsafe tcgetattr(self.slave, &mode)
        return Mode(
            input: mode.c_iflag, output: mode.c_oflag, control: mode.c_cflag, local: mode.c_lflag,
            characters: unsafe withUnsafeBytes(of: mode.c_cc) { unsafe Array($0) })
    }

    /// Types on it.
    func type(_ text: String) {
        _ = unsafe Array(text.utf8).withUnsafeBytes { unsafe Foundation.write(self.master, $0.baseAddress, $0.count) }
    }

    /// Gives it another size, as the window of a terminal; its programs are told.
    func resize(width: Int, height: Int) {
        self.content.withLock { content in
            var size = winsize()
            size.ws_col = UInt16(width)
            size.ws_row = UInt16(height)
            content.resize(width: width, height: height)
            _ = unsafe ioctl(self.master, UInt(TIOCSWINSZ), &size)
        }
    }

    /// Takes it away from its programs.
    func hangUp() { self.isOver.store(true, ordering: .releasing) }

    /// Waits until what is shown is as it should be.
    func shows(
        _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
        _ condition: (TerminalScreen) -> Bool
    ) async throws {
        if try await !eventually(what, sourceLocation: sourceLocation, { condition(self.screen) }) {
            Issue.record("the screen:\n\(self.screen.lines.joined(separator: "\n"))", sourceLocation: sourceLocation)
            throw Failure()
        }
    }

    private func read() {
        var bytes = [UInt8](repeating: 0, count: 65536)
        while !self.isOver.load(ordering: .acquiring) {
            var ready = pollfd(fd: self.master, events: Int16(POLLIN), revents: 0)
            if unsafe poll(&ready, 1, 20) <= 0 { continue }
            let count = unsafe Foundation.read(self.master, &bytes, bytes.count)
            if count > 0 { self.content.withLock { $0.write(Array(bytes.prefix(count))) } }
        }
        close(self.slave)
        close(self.master)
    }
}
