import ArgumentParser
import OutboxPostgres

/// `outbox migrate status`: which versions are applied.
struct MigrateStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show which versions of the schema are applied.",
        discussion: """
            Ends with \(ExitStatus.wrongSchema.rawValue) when the schema is missing, older than this program, newer than what this \
            program works with, or a version was applied with another text, so that a deployment can wait for it.

            EXAMPLES:
              outbox migrate status
              outbox migrate status --json
            """)

    @OptionGroup
    var server: ServerOptions

    @Flag(help: "Print the versions as JSON.")
    var json = false

    func run() async throws {
        let schema = try self.server.schema
        let history = try await self.server.withConnection(application: "migrate") { connection in
            try await OutboxMigrator(schema: schema).status(on: connection)
        }
        if self.json { MigrationOutput.print(history) } else { MigrationOutput.table(history).print() }
        let isCurrent = history.allSatisfy { migration in
            switch migration.state {
            case .applied: true
            case .unknown: migration.isReadable
            case .drifted, .pending: false
            }
        }
        if !isCurrent { throw ExitCode(ExitStatus.wrongSchema.rawValue) }
    }
}
