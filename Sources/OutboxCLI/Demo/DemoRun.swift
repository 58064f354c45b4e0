import Logging
import Outbox
import OutboxPostgres
import OutboxRuntime

/// One run of the demonstration, on a server that is there.
struct DemoRun: Sendable {
    private let postgres: LibPQConfiguration
    private let duration: Duration
    private let screen: DemoScreen
    private let schema: OutboxSchema
    private let shop: DemoShop
    private let handlers: DemoHandlers
    private let bus: DemoBus?
    private let clock = ContinuousClock()

    /// - Parameter bus: The event bus; nil: a closure.
    init(postgres: LibPQConfiguration, duration: Duration, bus: DemoBus?, screen: DemoScreen) throws {
        var postgres = postgres
        postgres.parameters["fallback_application_name"] = "outbox demo"
        self.postgres = postgres
        self.duration = duration
        self.screen = screen
        let number = String(UInt32.random(in: .min ... .max), radix: 36)
        self.schema = try OutboxSchema(name: "outbox_demo_" + number)
        self.shop = DemoShop(schema: self.schema, ledger: screen.ledger)
        self.bus = bus
        self.handlers = DemoHandlers(ledger: screen.ledger, bus: bus)
    }

    /// Runs it all and removes the schema.
    func callAsFunction() async throws -> DemoReport {
        let connection = try await LibPQConnection.connect(self.postgres, logger: .quiet)
        let migrator = OutboxMigrator(schema: self.schema)
        let result: Result<DemoReport, any Error>
        do {
            let steps = try await migrator.up(on: connection)
            self.screen.detail("schema \(self.schema.name) at version \(steps.last?.version ?? 0)")
            try await self.shop.createTables(on: connection)
            result = .success(try await self.play(connection))
        } catch {
            result = .failure(error)
        }
        // Also when this task was cancelled: the schema goes away in any case.
        await Task {
            try? await self.shop.dropTables(on: connection)
            _ = try? await migrator.down(to: 0, on: connection)
        }.value
        await connection.close()
        return try result.get()
    }

    /// Runs the relay beside the scenes.
    private func play(_ connection: LibPQConnection) async throws -> DemoReport {
        let relay = Relay(
            store: PostgresStore(postgres: self.postgres, schema: self.schema), routes: self.handlers.routes,
            logger: .quiet)
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            let events = relay.events(bufferingNewest: 1 << 20)
            tasks.addTask {
                for await event in events { self.screen.ledger.saw(event) }
            }
            tasks.addTask { try await relay.run() }
            defer { tasks.cancelAll() }

            try await self.trade(connection)
            let replayed = try await self.replay(connection)
            relay.stop()
            // The listener ends with the relay, so that every event has been counted after this.
            try await tasks.waitForAll()
            try await self.bus?.read()
            return DemoReport(
                snapshot: self.screen.ledger.snapshot,
                committed: try await self.shop.committedMessages(on: connection), hasBroker: self.bus != nil,
                replayed: replayed,
                deadLetters: try await self.deadLetters(connection).count)
        }
    }

    // MARK: - Scenes

    private func trade(_ connection: LibPQConnection) async throws {
        self.screen.headline("Customers order for \(self.duration.short); the relay delivers meanwhile")
        self.screen.detail("email fails twice for some customers; billing gets one message that it cannot read")
        if self.bus != nil {
            self.screen.detail("the event bus is a RabbitMQ, which closes all connections in the middle")
        }
        let deadline = self.clock.now + self.duration
        try await self.watched {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for _ in 0..<4 {
                    tasks.addTask {
                        let own = try await LibPQConnection.connect(self.postgres, logger: .quiet)
                        try await self.shop.trade(until: deadline, every: .milliseconds(12), on: own)
                        await own.close()
                    }
                }
                try await Task.sleep(for: self.duration / 4)
                try await self.shop.sendPoison(on: connection)
                if let bus {
                    try await Task.sleep(for: self.duration / 4)
                    try await bus.breakConnections()
                }
                try await tasks.waitForAll()
            }
            try await self.settle(connection)
        }
    }

    /// Shows the dead letters, repairs the handler and replays them.
    private func replay(_ connection: LibPQConnection) async throws -> Int {
        let dead = try await self.deadLetters(connection)
        self.screen.headline("Dead letters: \(dead.count)")
        FailedMessageOutput.table(dead).lines(on: self.screen.terminal).forEach(self.screen.detail)
        self.handlers.repair()
        let count = try await OutboxInspector(schema: self.schema).replay(
            matching: DeadLetterFilter(), dryRun: false, on: connection)
        self.screen.headline("Billing is repaired; \(count) replayed")
        try await self.settle(connection)
        return count
    }

    private func deadLetters(_ connection: LibPQConnection) async throws -> [DeadLetter] {
        try await OutboxInspector(schema: self.schema).deadLetters(on: connection)
    }

    /// Waits until nothing is left to deliver.
    private func settle(_ connection: LibPQConnection) async throws {
        let deadline = self.clock.now + .seconds(30)
        let names = Set(DemoHandlers.destinations.map(\.name))
        while true {
            let backlog = try await Backlog(schema: self.schema, subscription: "main", on: connection)
            if backlog.isEmpty(of: names) { return }
            if self.clock.now > deadline {
                throw CommandFailure(.failure, "the relay has not delivered everything within 30 s")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Runs a scene while the screen shows it.
    private func watched(_ scene: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await self.screen.run() }
            if let bus { tasks.addTask { await bus.run() } }
            defer { tasks.cancelAll() }
            try await scene()
        }
    }
}
