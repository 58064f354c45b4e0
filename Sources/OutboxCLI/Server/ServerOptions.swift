import ArgumentParser
import Logging
import OutboxPostgres

/// Which server, and which outbox there: the options that every subcommand with a connection has. What is not
/// given is nil.
struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The server: a URL or key=value pairs as for psql. Default: the PG* environment.", valueName: "connection"))
    var postgres: String?

    @Option(
        help: ArgumentHelp(
            """
            How long the server may be silent while an answer is due, unless it says over another connection that it is \
            at work. 0: as long as it likes. (default: 30s)
            """, valueName: "interval"),
        transform: Interval.init(parsing:))
    var answerTimeout: Interval?

    @Flag(
        inversion: .prefixedNo,
        help:
            """
            Prepare statements and use them again; not through a pooler in transaction mode such as PgBouncer before 1.21. \
            (default: --prepared-statements)
            """
    )
    var preparedStatements: Bool?

    @OptionGroup
    var outbox: SchemaOption

    /// Where to connect.
    ///
    /// - Throws: A ``CommandFailure`` of usage when the connection string is wrong.
    func configuration(application: String) throws -> LibPQConfiguration {
        do {
            var configuration = try LibPQConfiguration(self.postgres ?? "")
            configuration.parameters["fallback_application_name"] = "outbox \(application)"
            if let time = self.answerTimeout?.duration { configuration.answerTimeout = time > .zero ? time : nil }
            if let preparedStatements { configuration.usesPreparedStatements = preparedStatements }
            return configuration
        } catch {
            throw CommandFailure(.usage, "--postgres: \(error.description)")
        }
    }

    /// Runs `body` with a connection that is closed afterwards.
    func withConnection<Result>(
        application: String, _ body: (LibPQConnection) async throws -> Result
    ) async throws -> Result {
        let connection = try await LibPQConnection.connect(
            self.configuration(application: application), logger: Logger.waits)
        do {
            let result = try await body(connection)
            await connection.close()
            return result
        } catch {
            await connection.close()
            throw error
        }
    }
}

/// Which outbox of a database.
struct SchemaOption: ParsableArguments {
    @Option(
        name: .customLong("schema"), help: ArgumentHelp("The outbox's schema. (default: outbox)", valueName: "name"))
    var name: String?

    /// The schema.
    ///
    /// - Throws: An `OutboxError` when that cannot be a schema's name.
    var schema: OutboxSchema {
        get throws { try self.name.map { name in try OutboxSchema(name: name) } ?? OutboxSchema() }
    }
}

extension Logger {
    /// A logger for work that reports its own failures.
    static var quiet: Logger {
        Logger(label: "outbox") { _ in SwiftLogNoOpLogHandler() }
    }

    /// A logger for the same that says on stderr what it waits for, where that takes long.
    static var waits: Logger {
        var logger = Logger(label: "outbox") { _ in WaitLogHandler() }
        logger.logLevel = .notice
        return logger
    }
}

/// Writes a line for a person.
private struct WaitLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.notice

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let details = self.metadata.merging(event.metadata ?? [:]) { $1 }
            .sorted { $0.key < $1.key }
            .map { "\($0.key)=\($0.value)" }
            .joined(separator: " ")
        Terminal.error.print("outbox: \(event.message)\(details.isEmpty ? "" : " (\(details))")".plain())
    }
}
