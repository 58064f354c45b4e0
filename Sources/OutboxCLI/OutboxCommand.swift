import ArgumentParser
import Outbox
import OutboxRuntime

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// The program `outbox`.
@main
struct OutboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outbox",
        abstract: "A transactional outbox in Postgres: schema, messages, relay, streams, dead letters.",
        discussion: """
            Where the server is comes from --postgres or from the PG* environment variables, as with psql.

            EXAMPLES:
              outbox demo                                   see it work
              outbox migrate up                             create the schema
              outbox enqueue event-bus '{"id": 1}' --key 1  enqueue a message
              outbox relay --route '*=stdout'               deliver to stdout
              outbox status --watch                         see how far it is
              outbox web                                    see it in a browser
              outbox doctor                                 find out what is wrong
              outbox dead-letter list                       what was given up

            \(ExitStatus.help)
            """,
        version: "0.1.0",
        subcommands: [
            SchemaCommand.self, MigrateCommand.self, EnqueueCommand.self, RelayCommand.self, StatusCommand.self,
            DoctorCommand.self, StreamCommand.self, SubscriptionCommand.self, DeferredCommand.self,
            DeadLetterCommand.self, JanitorCommand.self, WebCommand.self, DemoCommand.self,
        ])

    /// Runs the program: an error is one line on stderr that says what to do, and a number for scripts.
    static func main() async {
        do {
            try self.prepareProcess()
            try self.checkEncoding()
            try self.checkSubcommand(of: self, in: CommandLine.arguments.dropFirst())
            var command = try self.parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let error where self.isParsers(error) {
            let message = self.message(for: error, arguments: CommandLine.arguments.dropFirst())
            self.end(message, self.exitCode(for: error))
        } catch let failure as ConfigurationFile.Failure {
            for problem in failure.problems.dropLast() { self.complain(problem) }
            self.end(CommandFailure(.usage, failure.problems.last ?? "the configuration cannot be read"))
        } catch {
            self.end(CommandFailure(error))
        }
    }

    /// What the parser says, which repeats what was wrong: that can be the address of a broker or a server, with a password.
    static func message(for error: any Error, arguments: some Sequence<String>) -> String {
        Redaction.message(self.fullMessage(for: error), repeating: arguments)
    }

    /// Ends the process, having said why in a line.
    static func end(_ failure: CommandFailure) -> Never {
        self.complain(failure.message)
        self.exit(failure.status)
    }

    private static func complain(_ problem: String) {
        Terminal.error.print(Terminal.error.styled("outbox:", .red) + " " + problem.plain())
    }

    /// Ends the process with what the argument parser has to say: help, or what is wrong with a command line and its usage.
    ///
    /// Written by this program, so that help that a full disk does not take is no success, and what was typed does nothing to a
    /// terminal.
    private static func end(_ message: String, _ code: ExitCode) -> Never {
        if !message.isEmpty {
            if code.isSuccess {
                Terminal.output.print(message)
            } else {
                Terminal.error.print(message.plain(keepingLines: true))
            }
        }
        #if canImport(Darwin)
        Darwin.exit(code.rawValue)
        #elseif canImport(Musl)
        Musl.exit(code.rawValue)
        #else
        Glibc.exit(code.rawValue)
        #endif
    }

    /// Sets signals as a program has them, and makes sure that there is a stdout.
    private static func prepareProcess() throws {
        // A reader that goes away is an error of a write, not the end of the process.
        _ = signal(SIGPIPE, SIG_IGN)
        // Swift would print where every thread is, and go on.
        _ = signal(SIGQUIT, SIG_DFL)
        // Where it was closed, its number may be something else's by now, which has no type of file.
        var facts = stat()
        if unsafe fstat(STDOUT_FILENO, &facts) != 0 || facts.st_mode & S_IFMT == 0 {
            throw CommandFailure(.inputOutput, "stdout is closed; send it to /dev/null if it is not needed")
        }
    }

    /// Refuses arguments that are not UTF-8, which `CommandLine.arguments` would alter.
    private static func checkEncoding() throws {
        for index in 1..<max(Int(CommandLine.argc), 1) {
            guard let argument = unsafe CommandLine.unsafeArgv[index] else { return }
            if unsafe String(validatingCString: argument) == nil {
                throw CommandFailure(
                    .usage, "argument \(index) is not UTF-8; bytes of any kind go in with --from, as payload_base64")
            }
        }
    }

    /// Suggests the nearest name for a subcommand that does not exist, which the parser does for options only.
    static func checkSubcommand(of command: any ParsableCommand.Type, in arguments: ArraySlice<String>) throws {
        let subcommands = command.configuration.subcommands
        guard let name = arguments.first, !name.hasPrefix("-"), name != "help", !subcommands.isEmpty else { return }
        if let next = subcommands.first(where: { $0._commandName == name }) {
            return try self.checkSubcommand(of: next, in: arguments.dropFirst())
        }
        let hint = NearestName.suggestion(for: name, among: subcommands.map { $0._commandName })
        throw CommandFailure(.usage, "there is no subcommand “\(Redaction.shown(name))”; \(hint)")
    }

    /// Ends the process at once.
    static func exit(_ status: ExitStatus) -> Never {
        #if canImport(Darwin)
        Darwin.exit(status.rawValue)
        #elseif canImport(Musl)
        Musl.exit(status.rawValue)
        #else
        Glibc.exit(status.rawValue)
        #endif
    }

    /// Whether the argument parser knows best how to show an error: usage, help, version.
    private static func isParsers(_ error: any Error) -> Bool {
        if error is ValidationError || error is ExitCode || error is CleanExit { return true }
        return String(reflecting: type(of: error)).hasPrefix("ArgumentParser.")
    }
}
