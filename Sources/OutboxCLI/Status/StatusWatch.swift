import OutboxPostgres
import OutboxRuntime
import UnixSignals

/// Shows the state of an outbox again and again where no person presses keys, until it is interrupted, its reader goes away, or a look fails.
struct StatusWatch {
    let server: ServerOptions
    let subscription: String
    let interval: Duration
    let json: Bool
    let terminal = Terminal.output

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
        let looks = StatusLooks(schema: schema, subscription: self.subscription, interval: self.interval)
        var screen = Screen(on: self.terminal)
        try await looks.run(since: nil, on: connection) { status in
            self.json ? StatusOutput.printJSON(status) : screen.show(self.block(status, of: schema))
        }
    }

    private func block(_ status: OutboxStatus, of schema: OutboxSchema) -> [String] {
        let when = RFC3339.text(status.takenAt).prefix(19) + "Z"
        let title = StatusOutput.title(schema, subscription: self.subscription)
        return [self.terminal.styled("\(title), \(when)", .cyan)]
            + StatusOutput.lines(status, isComparison: true, on: self.terminal)
    }
}
