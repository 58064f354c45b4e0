import Outbox
import OutboxPostgres
import ServiceLifecycle

/// Ends, as a service, when nothing is left to deliver.
struct BacklogWatch: Service {
    let server: ServerOptions
    let subscription: String
    let destinations: Set<Destination>

    func run() async throws {
        let schema = try self.server.outbox.schema
        let names = Set(self.destinations.map(\.name))
        let clock = ContinuousClock()
        try await cancelWhenGracefulShutdown {
            try await self.server.withConnection(application: "relay, until empty") { connection in
                while true {
                    let began = clock.now
                    let backlog = try await Backlog(schema: schema, subscription: self.subscription, on: connection)
                    if backlog.isEmpty(of: names) { return }
                    // Counting takes longer the more there is to count, and takes from those who work.
                    try await Task.sleep(for: max(.milliseconds(50), (clock.now - began) * 10))
                }
            }
        }
    }
}
