import Outbox
import OutboxPostgres

/// What a subscription has still to deliver.
struct Backlog {
    var destinations: [String] = []

    init(schema: OutboxSchema, subscription: String, on connection: Connection) async throws {}

    func isEmpty(of destinations: Set<String>) -> Bool { true }
}
