import ArgumentParser
import Foundation
import Logging
import OutboxPostgres
import Synchronization

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

    @Option(
        help: ArgumentHelp(
            """
            A file with settings, YAML or JSON; what stands there is overruled by OUTBOX_… variables of the environment, and those by \
            options. outbox relay --config-schema describes it. Default: OUTBOX_CONFIG.
            """, valueName: "file"))
    var config: String?

    /// What the file and the environment say. They are read once: a pipe can be read no second time, and a command is about one outbox.
    ///
    /// - Throws: A ``ConfigurationFile/Failure``.
    var layer: ConfigurationLayer {
        get throws(ConfigurationFile.Failure) {
            let file = self.configurationFile
            if let read = Self.read.withLock({ $0 }), read.file == file { return read.layer }
            return try self.layerAgain()
        }
    }

    /// The same as it is by now.
    @discardableResult
    func layerAgain() throws(ConfigurationFile.Failure) -> ConfigurationLayer {
        let file = self.configurationFile
        let layer = try ConfigurationLayer.read(file: file, environment: Self.environment)
        Self.read.withLock { $0 = (file, layer) }
        return layer
    }

    private static let read = Mutex<(file: String?, layer: ConfigurationLayer)?>(nil)

    /// The configuration file; nil: there is none.
    var configurationFile: String? {
        // An empty one takes the variable away for a command.
        let path = self.config ?? Self.environment["OUTBOX_CONFIG"] ?? ""
        return path.isEmpty ? nil : path
    }

    private static var environment: [String: String] { ProcessInfo.processInfo.environment }

    /// The outbox's schema.
    ///
    /// - Throws: An `OutboxError` when that cannot be a schema's name.
    var schema: OutboxSchema {
        get throws { try self.schema(self.layer.server) }
    }

    /// The outbox's schema, over a layer of settings.
    func schema(_ layer: ServerLayer) throws -> OutboxSchema {
        guard let name = self.outbox.name ?? layer.schema else { return OutboxSchema() }
        return try OutboxSchema(name: name)
    }

    /// Where to connect.
    ///
    /// - Throws: A ``CommandFailure`` of usage when the connection string is wrong.
    func configuration(application: String) throws -> LibPQConfiguration {
        try self.configuration(application: application, self.layer.server)
    }

    /// Where to connect, over a layer of settings.
    func configuration(application: String, _ layer: ServerLayer) throws -> LibPQConfiguration {
        do {
            var configuration = try LibPQConfiguration(self.postgres ?? layer.postgres ?? "")
            configuration.parameters["fallback_application_name"] = "outbox \(application)"
            if let time = self.answerTimeout?.duration ?? layer.answerTimeout {
                configuration.answerTimeout = time > .zero ? time : nil
            }
            if let prepared = self.preparedStatements ?? layer.preparedStatements {
                configuration.usesPreparedStatements = prepared
            }
            // What an option names is another server.
            if self.postgres == nil { configuration.password = try layer.password }
            return configuration
        } catch let error as LibPQError {
            let place = self.postgres != nil || layer.postgres == nil ? "--postgres" : "postgres in the configuration"
            throw CommandFailure(.usage, "\(place): \(error.description)")
        }
    }

    /// Runs `body` with a connection that is closed afterwards.
    ///
    /// - Parameter logger: Default: one that says on stderr what the connection waits for.
    func withConnection<Result>(
        application: String, logger: Logger = .waits, _ body: (LibPQConnection) async throws -> Result
    ) async throws -> Result {
        try await self.withConnection(application: application, self.layer.server, logger: logger, body)
    }

    /// The same, over a layer of settings.
    func withConnection<Result>(
        application: String, _ layer: ServerLayer, logger: Logger = .waits,
        _ body: (LibPQConnection) async throws -> Result
    ) async throws -> Result {
        let connection = try await LibPQConnection.connect(
            self.configuration(application: application, layer), logger: logger)
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
