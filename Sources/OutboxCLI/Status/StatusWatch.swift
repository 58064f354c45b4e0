import OutboxPostgres
import OutboxRuntime
import UnixSignals

/// Shows the state of an outbox again and again, until it is interrupted or its reader goes away.
struct StatusWatch {
    let server: ServerOptions
    let subscription: String
    let interval: Duration
    let json: Bool
    let terminal = Terminal.output

    /// Less far than for a single look: this one is repeated.
    private static let countLimit = 100_000

    /// - Throws: What goes wrong with a look; an interrupt is no failure.
    func run() async throws {
        let schema = try self.server.schema
        // While it is trapped, a signal only ends this loop.
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in signals { return }
            }
            group.addTask {
                try await self.server.withConnection(application: "status") { connection in
                    try await self.looks(at: schema, connection)
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func looks(at schema: OutboxSchema, _ connection: LibPQConnection) async throws {
        let inspector = OutboxInspector(schema: schema)
        let clock = ContinuousClock()
        var screen = Screen(on: self.terminal)
        var last: OutboxStatus?
        var next = clock.now
        while true {
            let status = try await inspector.status(
                subscription: self.subscription, since: last, countLimit: Self.countLimit, on: connection)
            last = status
            let isRead = self.json ? StatusOutput.printJSON(status) : screen.show(self.block(status, of: schema))
            if !isRead { return }
            // At regular intervals, unless a look takes longer than that.
            next = max(next + self.interval, clock.now)
            try await Task.sleep(until: next, clock: clock)
        }
    }

    private func block(_ status: OutboxStatus, of schema: OutboxSchema) -> [String] {
        let title = "outbox “\(schema.name.plain(40))”, subscription “\(self.subscription.plain(40))”"
        let when = RFC3339.text(status.takenAt).prefix(19) + "Z"
        return [self.terminal.styled("\(title), \(when)", .cyan)]
            + StatusOutput.lines(status, isComparison: true, on: self.terminal)
    }
}
