import ArgumentParser
import OutboxPostgres

/// `outbox dead-letter replay`.
struct DeadLetterReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Deliver dead letters again, at once and with all their attempts.",
        discussion: """
            EXAMPLES:
              outbox dead-letter replay 4711 4712
              outbox dead-letter replay --destination email --dry-run
              outbox dead-letter replay --all
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var action: BulkOptions

    func run() async throws {
        try await self.action.run(self.server, verb: "replay", past: "replayed") {
            inspector, filter, isDry, connection in
            try await inspector.replay(matching: filter, dryRun: isDry, on: connection)
        }
    }
}
