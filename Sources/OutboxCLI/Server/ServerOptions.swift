import ArgumentParser
import Logging
import OutboxPostgres

/// Which server, and which outbox there: the options that every subcommand with a connection has.
struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The server: a URL or key=value pairs as for psql. Default: the PG* environment.", valueName: "connection"))
    var postgres: String = ""

    @OptionGroup
    var outbox: SchemaOption

    /// Where to connect.
    ///
    /// - Throws: A ``CommandFailure`` of usage when the connection string is wrong.
    func configuration(application: String) throws -> ConnectionConfiguration {
        do {
            var configuration = try ConnectionConfiguration(self.postgres)
            configuration.parameters["fallback_application_name"] = "outbox \(application)"
            return configuration
        } catch {
            throw CommandFailure(.usage, "--postgres: \(error.description)")
        }
    }

    /// Runs `body` with a connection that is closed afterwards.
    func withConnection<Result>(
        application: String, _ body: (Connection) async throws -> Result
    ) async throws -> Result {
        let connection = try await Connection.connect(
            self.configuration(application: application), logger: Logger.quiet)
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
    @Option(name: .customLong("schema"), help: ArgumentHelp("The outbox's schema.", valueName: "name"))
    var name: String = "outbox"

    /// The schema.
    ///
    /// - Throws: An `OutboxSchemaError` when that cannot be a schema's name.
    var schema: OutboxSchema {
        get throws { try OutboxSchema(name: self.name) }
    }
}

extension Logger {
    /// A logger for work that says by itself what went wrong.
    static var quiet: Logger {
        Logger(label: "outbox") { _ in SwiftLogNoOpLogHandler() }
    }
}
