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

    @Argument(help: "The message's id.")
    var id: Int64

    @Option(help: ArgumentHelp("The name under which the cursors are kept.", valueName: "name"))
    var subscription = "main"

    @Flag(help: "Print it as JSON.")
    var json = false

    func run() async throws {
        let schema = try self.server.outbox.schema
        let message = try await self.server.withConnection(application: "deferred") { connection in
            try await OutboxInspector(schema: schema).deferredMessage(
                id: self.id, subscription: self.subscription, on: connection)
        }
        guard let message else {
            throw CommandFailure(.failure, "there is no deferred message \(self.id); see: outbox deferred list")
        }
        if self.json { DeferredOutput.printJSON(message) } else { DeferredOutput.print(message) }
    }
}
