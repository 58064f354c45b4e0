import ArgumentParser
import OutboxPostgres

/// `outbox migrate down`: undoes versions, and with them what is in their tables.
struct MigrateDownCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down",
        abstract: "Undo versions; down to 0 removes the schema and every message in it.",
        discussion: """
            EXAMPLES:
              outbox migrate down --to 0 --yes
            """)

    @OptionGroup
    var server: ServerOptions

    @Option(help: ArgumentHelp("The version to go back to; 0 is no outbox at all.", valueName: "version"))
    var to: Int

    @Flag(help: "Do it. Without, only what would be undone is printed.")
    var yes = false

    @Flag(help: "Print the steps as JSON.")
    var json = false

    func run() async throws {
        let schema = try self.server.schema
        let migrator = OutboxMigrator(schema: schema)
        guard self.yes else {
            try await self.explain(migrator)
            throw CommandFailure(.usage, "nothing was undone; add --yes to do it, messages included")
        }
        let steps = try await self.server.withConnection(application: "migrate") { connection in
            try await migrator.down(to: self.to, on: connection) { step in
                if !self.json { Terminal.output.print(MigrationOutput.line(step)) }
            }
        }
        if self.json {
            MigrationOutput.print(steps)
        } else if steps.isEmpty {
            Terminal.output.print("nothing to undo: the schema \(schema.name) is at version \(self.to) or below")
        }
    }

    private func explain(_ migrator: OutboxMigrator) async throws {
        let history = try await self.server.withConnection(application: "migrate") { connection in
            try await migrator.status(on: connection)
        }
        for migration in history.reversed() where migration.version > self.to && migration.appliedAt != nil {
            Terminal.error.print("would undo \(migration.version) \(migration.name)")
        }
    }
}
