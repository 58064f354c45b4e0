import ArgumentParser
import OutboxPostgres

/// `outbox deferred discard`.
struct DeferredDiscardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard",
        abstract: "Delete deferred messages for good.",
        discussion: """
            What waits behind them goes on. What a relay has read already is still delivered: of a destination that is down, all that was due. End \
            the relay first where none of it may go out. Where no ids are given it says how many, and asks; without a terminal it wants --yes.

            EXAMPLES:
              outbox deferred discard 4711
              outbox deferred discard --destination email --error "no such mailbox" --dry-run
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var action: BulkOptions

    @OptionGroup
    var filter: FilterOptions

    @Flag(help: "Do not ask.")
    var yes = false

    func validate() throws {
        if self.action.dryRun, self.yes { throw ValidationError("--dry-run and --yes exclude each other.") }
    }

    func run() async throws {
        let action = BulkOptions.Action(
            noun: "deferred message", verb: "discard", past: "discarded", isFinal: true, isConfirmed: self.yes)
        try await self.action.run(action, isEverything: self.filter.isEverything, self.server) {
            inspector, isDry, atMost, connection in
            try await inspector.discard(
                matching: try self.filter.deferred(self.server, ids: self.action.ids), dryRun: isDry, atMost: atMost,
                on: connection)
        }
    }
}
