import ArgumentParser
import OutboxPostgres

/// `outbox dead-letter list`.
struct DeadLetterListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List dead letters, the newest first, or how many have died alike.",
        discussion: """
            EXAMPLES:
              outbox dead-letter list
              outbox dead-letter list --group-by error
              outbox dead-letter list --destination email --reason rejected --json
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var filter: DeadLetterFilterOptions

    @OptionGroup
    var list: ListOptions

    func run() async throws {
        let schema = try self.server.schema
        let (filter, limit) = (try self.filter.filter(self.server), self.list.limit)
        if self.list.groupBy != nil {
            let groups = try await self.server.withConnection(application: "dead-letter") { connection in
                let found = try await OutboxInspector(schema: schema).failures(
                    ofDeadLetters: filter, limit: limit, on: connection)
                if found.isEmpty {
                    try await self.filter.options.subscription.refuseUnknown(self.server, on: connection)
                }
                return found
            }
            return FailureOutput.print(groups, as: self.list, none: "no dead letters")
        }
        let letters = try await self.server.withConnection(application: "dead-letter") { connection in
            let found = try await OutboxInspector(schema: schema).deadLetters(
                matching: filter, limit: limit, on: connection)
            if found.isEmpty { try await self.filter.options.subscription.refuseUnknown(self.server, on: connection) }
            return found
        }
        FailedMessageOutput.print(letters, as: self.list)
    }
}
