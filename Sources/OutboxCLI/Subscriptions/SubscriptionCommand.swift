import ArgumentParser

/// `outbox subscription`: who reads the log, each with cursors of its own.
struct SubscriptionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "subscription",
        abstract: "List subscriptions, each of which gets every message, or drop one.",
        discussion: """
            A subscription is made by the first relay that works for it: outbox relay --subscription NAME.

            EXAMPLES:
              outbox subscription list
              outbox subscription drop reports --dry-run
              outbox subscription drop reports --yes
            """,
        subcommands: [SubscriptionListCommand.self, SubscriptionDropCommand.self])
}
