import ArgumentParser
import Outbox
import OutboxPostgres

/// `outbox status`: how far behind the relays are.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what waits, what is retried, what is dead, and who delivers.",
        discussion: """
            EXAMPLES:
              outbox status
              outbox status --json
            """)

    @OptionGroup
    var server: ServerOptions

    @Option(help: ArgumentHelp("The name under which the cursors are kept.", valueName: "name"))
    var subscription = "main"

    @Flag(help: "Print the status as JSON.")
    var json = false

    func run() async throws {
        let schema = try self.server.outbox.schema
        let status = try await self.server.withConnection(application: "status") { connection in
            try await schema.check(on: connection)
            return try await OutboxInspector(schema: schema).status(subscription: self.subscription, on: connection)
        }
        if self.json { StatusOutput.printJSON(status) } else { StatusOutput.print(status) }
    }
}
