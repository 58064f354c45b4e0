import ArgumentParser
import OutboxPostgres

/// `outbox dead-letter show`.
struct DeadLetterShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show a dead letter with its headers and payload.",
        discussion: """
            EXAMPLES:
              outbox dead-letter show 4711
              outbox dead-letter show 4711 --json | jq -r .payload
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var options: ShowOptions

    func run() async throws {
        let schema = try self.server.schema
        let message = try await self.server.withConnection(application: "dead-letter") { connection in
            try await OutboxInspector(schema: schema).deadLetter(
                id: self.options.id, subscription: try self.options.subscription.name(self.server), on: connection)
        }
        try self.options.print(message, command: "dead-letter")
    }
}
