import ArgumentParser
import OutboxPostgres

/// `outbox dead-letter discard`.
struct DeadLetterDiscardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard",
        abstract: "Delete dead letters for good.",
        discussion: """
            EXAMPLES:
              outbox dead-letter discard 4711
              outbox dead-letter discard --older-than 30d --dry-run
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var action: BulkOptions

    func run() async throws {
        try await self.action.run(self.server, verb: "discard", past: "discarded") {
            inspector, filter, isDry, connection in
            try await inspector.discard(matching: filter, dryRun: isDry, on: connection)
        }
    }
}
