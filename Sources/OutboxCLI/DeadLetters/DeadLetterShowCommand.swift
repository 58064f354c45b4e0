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

    @Argument(help: "The message's id.")
    var id: Int64

    @Option(help: ArgumentHelp("The name under which the cursors are kept.", valueName: "name"))
    var subscription = "main"

    @Flag(help: "Print it as JSON.")
    var json = false

    func run() async throws {
        let schema = try self.server.outbox.schema
        let letter = try await self.server.withConnection(application: "dead-letter") { connection in
            return try await OutboxInspector(schema: schema).deadLetter(
                id: self.id, subscription: self.subscription, on: connection)
        }
        guard let letter else {
            throw CommandFailure(.failure, "there is no dead letter \(self.id); see: outbox dead-letter list")
        }
        if self.json { DeadLetterOutput.printJSON(letter) } else { DeadLetterOutput.print(letter) }
    }
}
