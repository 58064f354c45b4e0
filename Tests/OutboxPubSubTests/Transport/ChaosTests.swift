import Logging
import Outbox
import OutboxPubSub
import OutboxTesting
import TestSupport
import Testing

/// A relay that publishes to a service which fails in every way: nothing is lost, and keys keep their order.
@Suite(.timeLimit(.minutes(10))) struct ChaosTests {
    private static let count = 4000
    private static let keys = 13

    @Test func aServiceThatIsKilledAndComesBack() async throws {
        try await Self.run { server in
            for _ in 0..<3 {
                try await server.send("stop")
                try await server.send("start")
            }
        }
    }

    @Test func connectionsThatBreak() async throws {
        try await Self.run { server in
            for _ in 0..<5 { _ = try await server.send("cut", as: Int.self) }
        }
    }

    @Test func aServiceThatIsSilentForLongerThanRequestsWait() async throws {
        try await Self.run { server in
            try await server.send("hold")
            // One that was given up, and the probe after it.
            try await eventually("two requests are held") { try await server.send("held", as: Int.self) >= 2 }
            try await server.send("release")
        }
    }

    @Test func aServiceThatIsSlow() async throws {
        try await Self.run { server in
            try await server.send("delay", ["milliseconds": 20])
            let before = try await server.send("count", as: Int.self)
            try await eventually("some more arrive") {
                let count = try await server.send("count", as: Int.self)
                return count >= min(before + 200, Self.count)
            }
            try await server.send("mend")
        }
    }

    @Test func aServiceThatThrottles() async throws {
        try await Self.run { server in
            try await server.fail(8, count: 3, ["message": "Quota exceeded"])
        }
    }

    @Test func aServiceThatFailsAndDoesNotSayWhatItHasTaken() async throws {
        try await Self.run { server in
            for code in [13, 14, 4, 2] {
                try await server.fail(code, count: 2)
                try await server.fail(code, count: 2, ["after": true])
            }
        }
    }

    /// Publishes all, and disturbs the service three times while messages arrive.
    private static func run(_ disturb: @escaping @Sendable (PubSubServer) async throws -> Void) async throws {
        let server = try await PubSubServer()
        let outbox = InMemoryOutbox()
        try outbox.enqueue(
            (0..<self.count).map { number in
                // Some without a key.
                .numbered(number, key: number % Self.keys == 0 ? nil : "k\(number % Self.keys)")
            })
        let transport = try TransportUnderTest.secure(server, .none) { configuration in
            configuration.delivery.timeout = .seconds(1)
            configuration.delivery.messagesPerRequest = 10
        }
        var logger = Logger(label: "outbox.test")
        logger.logLevel = .critical
        let relay = Relay(
            store: outbox,
            routes: [
                "orders": .transport(
                    transport,
                    settings: DeliverySettings(
                        retry: .exponential(
                            maximumAttempts: 1000, initialDelay: .milliseconds(1), maximumDelay: .milliseconds(20)),
                        breaker: .opening(initialDelay: .milliseconds(5), maximumDelay: .milliseconds(100)),
                        maximumCount: 100))
            ], logger: logger)
        let events = relay.events(bufferingNewest: 200_000)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await relay.run() }
            group.addTask {
                var settled = 0
                for await event in events {
                    switch event {
                    case .delivered, .deadLettered: settled += 1
                    default: break
                    }
                    if settled == Self.count { return relay.stop() }
                }
            }
            group.addTask {
                for part in 1...3 {
                    try await eventually("\(part) of 4 parts arrive") {
                        try await server.send("count", as: Int.self) >= Self.count * part / 4
                    }
                    try await disturb(server)
                }
            }
            defer { group.cancelAll() }
            try await group.waitForAll()
        }
        #expect(outbox.pending().isEmpty && outbox.deferred().isEmpty && outbox.deadLetters().isEmpty)
        try await self.check(server)
    }

    private static func check(_ server: PubSubServer) async throws {
        let numbers = try await server.records().compactMap { Int($0.text) }
        let missing = Set(0..<self.count).subtracting(numbers)
        #expect(missing.isEmpty, "\(missing.count) messages are lost")
        var last: [Int: Int] = [:]
        var seen: Set<Int> = []
        for number in numbers where number % self.keys != 0 && seen.insert(number).inserted {
            let key = number % self.keys
            #expect(last[key, default: -1] < number, "message \(number) has overtaken another of its key")
            last[key] = number
        }
        let facts = try await server.facts()
        #expect(facts.violations == [])
    }
}
