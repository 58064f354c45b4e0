import ArgumentParser
import OutboxPostgres

/// `outbox migrate up`: applies what has not been applied.
struct MigrateUpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Create the schema, or bring it up to date.",
        discussion: """
            EXAMPLES:
              outbox migrate up
              outbox migrate up --schema orders_outbox --postgres postgresql://localhost/shop
            """)

    @OptionGroup
    var server: ServerOptions

    @Option(help: ArgumentHelp("The version to stop at. Default: the newest.", valueName: "version"))
    var to: Int?

    @Flag(help: "Print the steps as JSON.")
    var json = false

    func run() async throws {
        let schema = try self.server.schema
        let steps = try await self.server.withConnection(application: "migrate") { connection in
            try await OutboxMigrator(schema: schema).up(to: self.to, on: connection) { step in
                if !self.json { Terminal.output.print(MigrationOutput.line(step)) }
            }
        }
        if self.json {
            MigrationOutput.print(steps)
        } else if steps.isEmpty {
            Terminal.output.print("the schema \(schema.name) is up to date")
        }
    }
}
