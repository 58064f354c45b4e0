import ArgumentParser
import OutboxPostgres
import OutboxRuntime
import OutboxTestServers
import UnixSignals

/// `outbox demo`: the whole way of a message, live, on a server of its own.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Watch it work: a shop enqueues, a relay delivers, one message ends in dead letter.",
        discussion: """
            Starts a Postgres of its own in a temporary folder, reached through a unix socket, and removes it at the \
            end. With --postgres a server of yours is used, in a schema that is made for it and dropped at the end.

            It checks itself: everything committed was delivered, nothing rolled back was, the order of each key was \
            kept. It ends with \(ExitStatus.failure.rawValue) otherwise.

            With --broker rabbitmq the event bus is a RabbitMQ that it starts as well, and whose connections it breaks.

            EXAMPLES:
              outbox demo
              outbox demo --broker rabbitmq
              outbox demo --duration 60s
              outbox demo --postgres postgresql://localhost/postgres
            """)

    @Option(
        help: ArgumentHelp("A server to use instead of one of the demonstration's own.", valueName: "connection"))
    var postgres: String?

    @Option(help: ArgumentHelp("A broker to start for the event bus: rabbitmq.", valueName: "broker"))
    var broker: DemoBroker?

    @Option(help: ArgumentHelp("How long the shop trades.", valueName: "interval"), transform: Interval.init(parsing:))
    var duration = Interval(.seconds(10))

    func validate() throws {
        if self.duration.duration < .seconds(1) { throw ValidationError("--duration is at least 1s.") }
    }

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await self.demonstrate() }
            tasks.addTask {
                // What was started has to be removed, so a signal ends the work and not the process.
                for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) {
                    throw CommandFailure(.interrupted, "interrupted")
                }
            }
            defer { tasks.cancelAll() }
            try await tasks.next()
        }
    }

    private func demonstrate() async throws {
        let screen = DemoScreen(ledger: DemoLedger())
        if let postgres {
            let configuration: LibPQConfiguration
            do {
                configuration = try LibPQConfiguration(postgres)
            } catch {
                throw CommandFailure(.usage, "--postgres: \(error.description)")
            }
            screen.headline("Using the server of --postgres")
            return try await self.run(on: configuration, screen)
        }
        let clock = ContinuousClock()
        let began = clock.now
        screen.headline("Starting a Postgres of my own")
        try await EphemeralPostgres.with(.init(parameters: ["max_connections": "40"])) { server in
            screen.detail("ready after \((clock.now - began).short), in \(server.folder); removed at the end")
            try await self.run(on: LibPQConfiguration(server.url), screen)
        }
    }

    private func run(on postgres: LibPQConfiguration, _ screen: DemoScreen) async throws {
        guard self.broker == .rabbitmq else { return try await self.run(on: postgres, bus: nil, screen) }
        let clock = ContinuousClock()
        let began = clock.now
        screen.headline("Starting a RabbitMQ of my own, which takes some seconds")
        try await EphemeralRabbitMQ.with { broker in
            screen.detail("ready after \((clock.now - began).short), in \(broker.folder); removed at the end")
            let bus = try await DemoBus(broker, ledger: screen.ledger)
            try await self.run(on: postgres, bus: bus, screen)
        }
    }

    private func run(on postgres: LibPQConfiguration, bus: DemoBus?, _ screen: DemoScreen) async throws {
        let run = try DemoRun(postgres: postgres, duration: self.duration.duration, bus: bus, screen: screen)
        let report = try await run()
        report.print()
        if !report.checks.allSatisfy(\.isKept) {
            throw CommandFailure(.failure, "the demonstration has found a defect; see above")
        }
    }
}

/// A broker that the demonstration can start.
enum DemoBroker: String, ExpressibleByArgument {
    case rabbitmq
}
