import OutboxPostgres
import OutboxRuntime

/// Looks at an outbox again and again, and connects again when it cannot.
struct StatusFeed {
    /// What a look has come to.
    enum Report: Sendable {
        case status(OutboxStatus)
        /// There is none; the next attempt begins at that time.
        case failure(String, next: ContinuousClock.Instant)
    }

    let server: ServerOptions
    let subscription: String
    let interval: Duration

    /// Fast enough for a server that is started again, and no burden to one that is not.
    private static let backoff = Backoff(base: .seconds(1), cap: .seconds(15), jitter: 0.5)

    /// Looks until the task is cancelled.
    ///
    /// - Throws: What goes wrong before anything has been reported: most often that is for a person to mend.
    func run(_ report: (Report) -> Void) async throws {
        let schema = try self.server.schema
        let clock = ContinuousClock()
        var last: OutboxStatus?
        var failures = 0
        while true {
            do {
                try await self.server.withConnection(application: "status", logger: .quiet) { connection in
                    let looks = StatusLooks(schema: schema, subscription: self.subscription, interval: self.interval)
                    try await looks.run(since: last, on: connection) { status in
                        (last, failures) = (status, 0)
                        report(.status(status))
                        return true
                    }
                }
            } catch {
                if last == nil || Task.isCancelled { throw error }
                let pause = Self.backoff.pause(earlierFailures: failures, draw: .random(in: 0...1))
                failures += 1
                report(.failure(CommandFailure(error).message, next: clock.now + pause))
                try await Task.sleep(for: pause, clock: clock)
            }
        }
    }
}
