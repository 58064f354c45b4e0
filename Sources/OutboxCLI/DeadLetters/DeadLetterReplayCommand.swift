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

    @OptionGroup
    var filter: DeadLetterFilterOptions

    func run() async throws {
        let action = BulkOptions.Action(noun: "dead letter", verb: "replay", past: "replayed")
        try await self.action.run(action, isEverything: self.filter.isEverything, self.server) {
            inspector, isDry, atMost, connection in
            try await inspector.replay(
                matching: try self.filter.filter(self.server, ids: self.action.ids), dryRun: isDry, atMost: atMost,
                on: connection)
        }
    }
}
