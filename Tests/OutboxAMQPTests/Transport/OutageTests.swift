import Outbox
import OutboxAMQP
import OutboxTestServers
import RabbitMQMailbox
import TestSupport
import Testing

/// Brokers that restart, crash or take nothing. The suite has a broker of its own.
@Suite(.serialized, .timeLimit(.minutes(10))) struct OutageTests {
    private static let start = Task {
        try await EphemeralRabbitMQ.start(.init(parameters: ["max_message_size": "21000000"]))
    }

    private static var broker: EphemeralRabbitMQ {
        get async throws { try await self.start.value }
    }

    /// No proxy: what the broker does to its connections is what is to be seen.
    private func withScope(_ body: (BrokerScope, EphemeralRabbitMQ) async throws -> Void) async throws {
        let broker = try await Self.broker
        try await BrokerScope.with(broker) { scope in try await body(scope, broker) }
    }

    private func transport(_ scope: BrokerScope, _ broker: EphemeralRabbitMQ) throws -> AMQPTransport {
        try scope.transport { $0.hosts = [.init("127.0.0.1", port: broker.port)] }
    }

    @Test func aBrokerThatRestartsOrCrashesLosesNothing() async throws {
        try await self.withScope { scope, broker in
            try await scope.mailbox.declareQueue(scope.name)
            try await RelayRun(scope: scope, count: 20_000, keys: 50)(
                self.transport(scope, broker), repetitions: 2 * 2000,
                interruptions: [
                    (at: 4000, what: { try await broker.restart() }),
                    (
                        at: 10_000,
                        what: {
                            try await broker.kill()
                            try await broker.startAgain()
                        }
                    ),
                ])
        }
    }

    @Test func connectionsThatTheBrokerClosesLoseNothing() async throws {
        try await self.withScope { scope, broker in
            try await scope.mailbox.declareQueue(scope.name)
            let close: @Sendable () async throws -> Void = {
                try await broker.rabbitmqctl("close_all_connections", "maintenance")
            }
            try await RelayRun(scope: scope, count: 20_000, keys: 50)(
                self.transport(scope, broker), repetitions: 3 * 2000,
                interruptions: [(at: 2000, what: close), (at: 6000, what: close), (at: 10_000, what: close)])
        }
    }

    @Test func anExchangeThatIsDeletedInBetweenIsDeclaredAgain() async throws {
        try await self.withScope { scope, broker in
            try await scope.mailbox.declareQueue(scope.name)
            try await RelayRun(scope: scope, count: 10_000, keys: 50)(
                self.transport(scope, broker), repetitions: 2 * 2000,
                interruptions: [
                    (at: 2000, what: { try await scope.mailbox.deleteExchange(scope.name) }),
                    (at: 5000, what: { try await scope.mailbox.deleteExchange(scope.name) }),
                ])
        }
    }

    @Test func anAlarmIsAnOutageUntilItIsOver() async throws {
        try await self.withScope { scope, broker in
            try await scope.run(self.transport(scope, broker)) { transport in
                #expect(try await transport.deliver([.numbered(0)]) == [.delivered])
                try await broker.rabbitmqctl("set_vm_memory_high_watermark", "0.0001")
                // The broker says so to publishers.
                let outcomes = try await transport.deliver((1...500).map { .numbered($0, key: "k\($0 % 7)") })
                #expect(outcomes.contains { ($0.reason ?? "").contains("blocked by the broker: low on memory") })
                #expect(outcomes.count { $0 == .delivered } < 100)
                #expect(!transport.health.isUp)
                let again = try await transport.deliver([.numbered(501)])
                #expect((again[0].reason ?? "").contains("blocked by the broker: low on memory"))
                try await broker.rabbitmqctl("set_vm_memory_high_watermark", "0.4")
                try await eventually("the alarm is over") { transport.health.isUp }
                #expect(try await transport.deliver([.numbered(502)]) == [.delivered])
            }
        }
    }

    @Test func anAlarmWhileMuchIsPublishedLosesNothing() async throws {
        try await self.withScope { scope, broker in
            try await scope.mailbox.declareQueue(scope.name)
            try await RelayRun(scope: scope, count: 20_000, keys: 50)(
                self.transport(scope, broker), repetitions: 2000,
                interruptions: [
                    (
                        at: 3000,
                        what: {
                            try await broker.rabbitmqctl("set_vm_memory_high_watermark", "0.0001")
                            try await broker.rabbitmqctl("set_vm_memory_high_watermark", "0.4")
                        }
                    )
                ])
        }
    }

    @Test func aMessageThatTheBrokerRefusesIsFoundAmongOthers() async throws {
        try await self.withScope { scope, broker in
            try await scope.run(self.transport(scope, broker)) { transport in
                var messages = (0..<300).map { NewMessage.numbered($0, key: "k\($0 % 40)") }
                messages[150].payload = Array(repeating: 0x20, count: 22_000_000)
                let outcomes = try await transport.deliver(messages)
                #expect((outcomes[150].reason ?? "").hasPrefix("406 PRECONDITION_FAILED"))
                #expect(outcomes[150] == .reject(outcomes[150].reason ?? ""))
                for (number, outcome) in outcomes.enumerated() where number != 150 {
                    #expect(outcome == .delivered, "\(number)")
                }
                let arrived = try await scope.arrived().compactMap(\.number)
                #expect(Set(arrived) == Set(0..<300).subtracting([150]))
                #expect(arrived.count - 299 <= 2 * 40)
            }
        }
    }

    /// A transport whose connection is not read any more still ends at once, whatever it was about to send.
    @Test func aBlockedTransportOfLongMessagesCanBeClosedAndCancelled() async throws {
        try await self.withScope { scope, broker in
            try await scope.mailbox.declareQueue(scope.name)
            try await broker.rabbitmqctl("set_vm_memory_high_watermark", "0.0001")
            let long = NewMessage(to: "bus", route: "orders", payload: Array(repeating: 1, count: 20_000_000))
            try await scope.run(self.transport(scope, broker)) { transport in
                let outcomes = try await transport.deliver([long, long, long])
                #expect(!outcomes.contains(.delivered))
            }
            let cancelled = try self.transport(scope, broker)
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await cancelled.run() }
                group.addTask { _ = try? await cancelled.deliver([long, long, long]) }
                _ = try? await eventually("it is blocked") { cancelled.health.reason?.contains("blocked") ?? false }
                group.cancelAll()
            }
            try await broker.rabbitmqctl("set_vm_memory_high_watermark", "0.4")
        }
    }
}
