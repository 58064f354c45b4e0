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

    /// The destinations that messages are there for, or were.
    var destinations: [String] {
        Set(self.status.streams.map(\.destination.name) + self.status.unregistered.map(\.destination.name)).sorted()
    }

    /// Whether nothing of these destinations waits, in the log or for a later attempt. Paused streams do not count: only an operator
    /// can resume them.
    func isEmpty(of destinations: Set<String>) -> Bool {
        let hasUnread = self.status.unregistered.contains { destinations.contains($0.destination.name) }
        return !hasUnread
            && self.status.streams.allSatisfy { stream in
                !destinations.contains(stream.destination.name) || stream.pausedAt != nil
                    || (stream.lag.value == 0 && stream.deferred.value == 0)
            }
    }
}
