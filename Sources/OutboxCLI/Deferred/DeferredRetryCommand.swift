import ArgumentParser
import OutboxPostgres

/// `outbox deferred retry`.
struct DeferredRetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Try deferred messages at once, as if their pauses were over.",
        discussion: """
            Attempts count on. What waits behind another message of its key goes on waiting for that one; what was enqueued for a later time is \
            tried only where its id is given.

            EXAMPLES:
              outbox deferred retry 4711 4712
              outbox deferred retry --destination email --dry-run
              outbox deferred retry --all
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var action: BulkOptions

    @OptionGroup
    var filter: FilterOptions

    func run() async throws {
        let action = BulkOptions.Action(noun: "deferred message", verb: "retry", past: "made due")
        try await self.action.run(action, isEverything: self.filter.isEverything, self.server) {
            inspector, isDry, atMost, connection in
            try await inspector.retry(
                matching: try self.filter.deferred(self.server, ids: self.action.ids), dryRun: isDry, atMost: atMost,
                on: connection)
        }
    }
}
