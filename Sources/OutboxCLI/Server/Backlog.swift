import Outbox
import OutboxPostgres

/// What a subscription has still to deliver.
struct Backlog {
    private let status: OutboxStatus

    init(schema: OutboxSchema, subscription: String, on connection: LibPQConnection) async throws {
        // Only whether there is one matters.
        self.status = try await OutboxInspector(schema: schema).status(
            subscription: subscription, countLimit: 1, on: connection)
    }

    /// Whether nothing of these destinations, or of any (nil), waits, in the log or for a later attempt. Paused streams do not count: only an operator
    /// can resume them.
    func isEmpty(of destinations: Set<String>?) -> Bool {
        func counts(_ destination: Destination) -> Bool { destinations?.contains(destination.name) ?? true }
        let hasUnread = self.status.unregistered.contains { counts($0.destination) }
        return !hasUnread
            && self.status.streams.allSatisfy { stream in
                !counts(stream.destination) || stream.pausedAt != nil
                    || (stream.lag.value == 0 && stream.deferred.value == 0)
            }
    }
}
