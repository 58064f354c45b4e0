import ArgumentParser
import OutboxPostgres

/// `outbox deferred list`.
struct DeferredListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List deferred messages, those that are due next first, or how many have failed alike.",
        discussion: """
            NEXT is when a message is tried again; “behind its key” is said of one that waits for others of its key.

            EXAMPLES:
              outbox deferred list
              outbox deferred list --group-by error
              outbox deferred list --destination email --older-than 10m --json
            """)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var filter: FilterOptions

    @OptionGroup
    var list: ListOptions

    func run() async throws {
        let schema = try self.server.schema
        let (filter, limit) = (try self.filter.deferred(self.server), self.list.limit)
        if self.list.groupBy != nil {
            let groups = try await self.server.withConnection(application: "deferred") { connection in
                let found = try await OutboxInspector(schema: schema).failures(
                    ofDeferred: filter, limit: limit, on: connection)
                if found.isEmpty { try await self.filter.subscription.refuseUnknown(self.server, on: connection) }
                return found
            }
            return FailureOutput.print(groups, as: self.list, none: "no deferred message has failed")
        }
        let messages = try await self.server.withConnection(application: "deferred") { connection in
            let found = try await OutboxInspector(schema: schema).deferred(
                matching: filter, limit: limit, on: connection)
            if found.isEmpty { try await self.filter.subscription.refuseUnknown(self.server, on: connection) }
            return found
        }
        FailedMessageOutput.print(messages, as: self.list)
    }
}
