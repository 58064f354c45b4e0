import Outbox
import OutboxPostgres
import ServiceLifecycle

/// Ends, as a service, when nothing is left to deliver.
struct BacklogWatch: Service {
    let server: ServerOptions
    let subscription: String
    /// Nil: all.
    let destinations: Set<Destination>?

    func run() async throws {
        let schema = try self.server.schema
        let names = self.destinations.map { Set($0.map(\.name)) }
        do {
            try await cancelWhenGracefulShutdown {
                while !(try await self.untilEmpty(of: names, in: schema)) {
                    try await Task.sleep(for: .milliseconds(500))
                }
            }
        } catch  where Task.isCancelled || Task.isShuttingDownGracefully {
            // The relay ends for another reason, and throws it.
        }
    }

    /// Looks again and again until nothing is left.
    ///
    /// - Returns: Whether nothing is left; false: the connection was lost. That ends neither this watch nor its relay.
    private func untilEmpty(of names: Set<String>?, in schema: OutboxSchema) async throws -> Bool {
        let clock = ContinuousClock()
        do {
            try await self.server.withConnection(application: "relay, until empty") { connection in
                while true {
                    let began = clock.now
                    let backlog = try await Backlog(schema: schema, subscription: self.subscription, on: connection)
                    if backlog.isEmpty(of: names) { return }
                    // Looking takes longer the more there is to look at, and slows down deliveries; but the end is not to be noticed long after.
                    try await Task.sleep(for: min(max(.milliseconds(50), (clock.now - began) * 10), .seconds(5)))
                }
            }
            return true
        } catch {
            if Self.isRetriable(error) { return false }
            throw error
        }
    }

    private static func isRetriable(_ error: any Error) -> Bool {
        switch error {
        case let error as LibPQError: error.isRetriable
        // It only read, so there is no harm in a commit that may have happened.
        case let error as LibPQTransactionError: error.isRetriable || error.commitError?.isRetriable == true
        default: false
        }
    }
}
