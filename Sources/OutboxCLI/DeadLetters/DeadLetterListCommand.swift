import ArgumentParser
import OutboxPostgres

/// `outbox dead-letter list`.
struct DeadLetterListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List dead letters, the newest first.",
        discussion: """
            EXAMPLES:
              outbox dead-letter list
              outbox dead-letter list --destination email --reason rejected --json
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var options: FilterOptions

    @Option(help: ArgumentHelp("At most that many.", valueName: "count"))
    var limit = 100

    @Flag(help: "Print the list as JSON.")
    var json = false

    func validate() throws {
        if self.limit < 1 { throw ValidationError("--limit is at least 1.") }
    }

    func run() async throws {
        let schema = try self.server.outbox.schema
        let letters = try await self.server.withConnection(application: "dead-letter") { connection in
            return try await OutboxInspector(schema: schema).deadLetters(
                matching: self.options.filter(), limit: self.limit, on: connection)
        }
        if self.json { return DeadLetterOutput.printJSON(letters) }
        if letters.isEmpty { return Terminal.output.print("no dead letters") }
        DeadLetterOutput.table(letters).print()
        if letters.count == self.limit {
            Terminal.error.print("there may be more: --limit is \(self.limit)")
        }
    }
}
