import ArgumentParser
import OutboxPostgres
import OutboxRuntime

/// `outbox subscription drop`.
struct SubscriptionDropCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop",
        abstract: "Remove a subscription: its streams, deferred messages and dead letters.",
        discussion: """
            What it had not handled is not delivered for it any more, and does not keep the log. End its relays first: while one is at \
            work or stands by, nothing is removed. On a terminal it says what would go, and asks; elsewhere it wants --yes. A \
            relay that begins later is one of a new subscription. The role has to be allowed to DELETE from stream.

            EXAMPLES:
              outbox subscription drop reports --dry-run
              outbox subscription drop reports --yes
            """)

    @OptionGroup
    var server: ServerOptions

    @Argument(help: "The name under which the cursors are kept.")
    var name: String

    @OptionGroup
    var handover: HandoverOptions

    @Flag(help: "Only say what would be removed.")
    var dryRun = false

    @Flag(help: "Do not ask.")
    var yes = false

    @Flag(help: "Print what was removed as JSON.")
    var json = false

    func validate() throws {
        if self.dryRun, self.yes { throw ValidationError("--dry-run and --yes exclude each other.") }
    }

    func run() async throws {
        let schema = try self.server.schema
        let subscriptions = OutboxSubscriptions(schema: schema)
        if !self.yes {
            // A connection of its own: a person may think for longer than a server leaves a session in peace.
            let found = try await self.server.withConnection(application: "subscription") { connection in
                try await subscriptions.subscription(named: self.name, on: connection)
            }
            if self.dryRun, self.json { return SubscriptionOutput.printJSON([found]) }
            self.explain(found)
            if self.dryRun { return }
            if !found.relays.isEmpty { throw CommandFailure(.failure, "nothing was dropped; end its relays first") }
            try Confirmation.ask("drop it", past: "dropped")
        }
        let removal = try await self.server.withConnection(application: "subscription") { connection in
            try await subscriptions.drop(self.name, waitingFor: self.handover.limit, on: connection)
        }
        if self.json { return self.printJSON(removal) }
        Terminal.output.print("dropped \(self.name.plain()): \(SubscriptionOutput.contents(removal))")
    }

    private func explain(_ found: OutboxSubscription) {
        let output = self.dryRun ? Terminal.output : Terminal.error
        output.print("would drop \(self.name.plain()): \(SubscriptionOutput.contents(found))")
        if found.relays.isEmpty { return }
        let seen = found.relays.map { relay in
            "server process \(relay.processID)" + (relay.applicationName.map { " (\($0.plain(40)))" } ?? "")
        }
        output.print("not while its relays run: \(seen.joined(separator: ", "))")
    }

    private func printJSON(_ removal: OutboxSubscription.Removal) {
        var json = JSONWriter()
        json.beginObject()
        json.name("subscription")
        json.string(self.name)
        json.name("streams")
        json.integer(removal.streams)
        json.name("deferred")
        json.integer(removal.deferred)
        json.name("dead")
        json.integer(removal.dead)
        json.endObject()
        json.print()
    }
}
