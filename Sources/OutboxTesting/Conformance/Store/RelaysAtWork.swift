import Logging
import Outbox

/// Relays that share the streams of several destinations, while some of them end and others begin, in good order all of them.
struct RelaysAtWork {
    private let fixture: any StoreFixture
    private let trace: DeliveryTrace

    init(_ fixture: any StoreFixture) {
        self.fixture = fixture
        self.trace = DeliveryTrace(patience: fixture.patience)
    }

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var relays: [Relay] = []
            defer { for relay in relays { relay.stop() } }
            var count = 0
            for round in 0..<8 {
                // 1, 2, 3, 2, 3, 2, 3, 2 relays.
                if round < 3 || round % 2 == 0 {
                    let relay = self.relay()
                    relays.append(relay)
                    group.addTask { try await relay.run() }
                } else {
                    relays.removeFirst().stop()
                }
                for _ in 0..<3 {
                    count += try await self.enqueue()
                    let most = count - 30
                    try await self.trace.eventually("\(most) were delivered") { $0.count >= most }
                }
            }
            let all = count
            try await self.trace.eventually("all were delivered") { $0.count >= all }
            for relay in relays { relay.stop() }
            try await group.waitForAll()
        }
        try require(self.trace.now.faults, equals: [], "what went wrong with the order of keys")
        try require(self.trace.now.repetitionCount, equals: 0, "how many messages were repeated")
    }

    private func relay() -> Relay {
        var settings = RelaySettings()
        settings.page.messages = 20
        settings.window.messages = 60
        settings.commit.interval = .milliseconds(1)
        settings.standbyInterval = .milliseconds(10)
        var logger = Logger(label: "outbox.conformance")
        logger.logLevel = .critical
        let trace = self.trace
        var routes: RelayRoutes = [:]
        for destination in SharingSession.many {
            routes[destination] = .handler(concurrency: 8) { message in await trace.deliver(message) }
        }
        return Relay(store: self.fixture.store, routes: routes, settings: settings, logger: logger)
    }

    /// - Returns: How many messages were enqueued.
    private func enqueue() async throws -> Int {
        try await self.fixture.enqueue(
            SharingSession.many.flatMap { destination in
                (0..<15).map { NewMessage(to: destination, key: $0 % 5 == 0 ? nil : "k\($0 % 7)", text: "\($0)") }
            }
        ).count
    }
}
