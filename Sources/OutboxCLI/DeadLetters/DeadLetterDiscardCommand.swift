import ArgumentParser
import OutboxPostgres

/// `outbox dead-letter discard`.
struct DeadLetterDiscardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard",
        abstract: "Delete dead letters for good.",
        discussion: """
            Where no ids are given it says how many, and asks; without a terminal it wants --yes.

            EXAMPLES:
              outbox dead-letter discard 4711
              outbox dead-letter discard --older-than 30d --dry-run
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var action: BulkOptions

    @OptionGroup
    var filter: DeadLetterFilterOptions

    @Flag(help: "Do not ask.")
    var yes = false

    func validate() throws {
        if self.action.dryRun, self.yes { throw ValidationError("--dry-run and --yes exclude each other.") }
    }

    func run() async throws {
        let action = BulkOptions.Action(
            noun: "dead letter", verb: "discard", past: "discarded", isFinal: true, isConfirmed: self.yes)
        try await self.action.run(action, isEverything: self.filter.isEverything, self.server) {
            inspector, isDry, atMost, connection in
            try await inspector.discard(
                matching: try self.filter.filter(self.server, ids: self.action.ids), dryRun: isDry, atMost: atMost,
                on: connection)
        }
    }
}
