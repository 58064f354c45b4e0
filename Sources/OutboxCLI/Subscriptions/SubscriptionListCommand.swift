import ArgumentParser
import OutboxPostgres
import OutboxRuntime

/// `outbox subscription list`.
struct SubscriptionListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the subscriptions, and what each has still to do.",
        discussion: """
            WAITING is what a subscription has not handled, of the destinations that it has streams of; the log keeps its segments \
            until the slowest one has passed them. Counting ends at 100,000. A role needs what outbox schema --grants --monitor grants.

            EXAMPLES:
              outbox subscription list
              outbox subscription list --json
            """)

    @OptionGroup
    var server: ServerOptions

    @Flag(help: "Print the list as JSON.")
    var json = false

    func run() async throws {
        let schema = try self.server.schema
        let subscriptions = try await self.server.withConnection(application: "subscription") { connection in
            try await OutboxSubscriptions(schema: schema).list(on: connection)
        }
        if self.json { return SubscriptionOutput.printJSON(subscriptions) }
        if subscriptions.isEmpty { return Terminal.output.print("no subscriptions: no relay has worked yet") }
        SubscriptionOutput.table(subscriptions).print()
    }
}
