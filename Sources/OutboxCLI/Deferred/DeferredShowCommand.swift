import ArgumentParser
import OutboxPostgres

/// `outbox deferred show`.
struct DeferredShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show a deferred message with its headers and payload.",
        discussion: """
            EXAMPLES:
              outbox deferred show 4711
              outbox deferred show 4711 --json | jq -r .payload
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var options: ShowOptions

    func run() async throws {
        let schema = try self.server.schema
        let message = try await self.server.withConnection(application: "deferred") { connection in
            try await OutboxInspector(schema: schema).deferredMessage(
                id: self.options.id, subscription: try self.options.subscription.name(self.server), on: connection)
        }
        try self.options.print(message, command: "deferred")
    }
}
