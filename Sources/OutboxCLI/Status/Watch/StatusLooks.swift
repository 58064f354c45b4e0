import OutboxPostgres

/// Looks at an outbox at intervals, over one connection.
struct StatusLooks {
    let schema: OutboxSchema
    let subscription: String
    let interval: Duration

    /// Less far than for a single look: this one is repeated.
    private static let countLimit = 100_000

    /// Looks until the task is cancelled, or no more is wanted.
    ///
    /// - Parameters:
    ///   - earlier: What the first look is compared with.
    ///   - receive: Returns whether more is wanted.
    /// - Throws: What goes wrong with a look.
    func run(
        since earlier: OutboxStatus?, on connection: LibPQConnection, _ receive: (OutboxStatus) -> Bool
    ) async throws {
        let inspector = OutboxInspector(schema: self.schema)
        let clock = ContinuousClock()
        var last = earlier
        var next = clock.now
        while true {
            let status = try await inspector.status(
                subscription: self.subscription, since: last, countLimit: Self.countLimit, on: connection)
            last = status
            if !receive(status) { return }
            // At regular intervals, unless a look takes longer than that.
            next = max(next + self.interval, clock.now)
            try await Task.sleep(until: next, clock: clock)
        }
    }
}
