import ArgumentParser

/// `outbox migrate`: brings the schema to a version.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Create the schema, bring it up to date, or remove it.",
        discussion: """
            Each step is a transaction of its own. Any number of migrators may run at once.

            EXAMPLES:
              outbox migrate status
              outbox migrate up
              outbox migrate down --to 0 --yes
            """,
        subcommands: [MigrateUpCommand.self, MigrateDownCommand.self, MigrateStatusCommand.self])
}
