import Outbox
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// Destinations that fail in part, or now and then, while producers and the relay are at work.
@Suite(.schema, .timeLimit(.minutes(5))) struct DestinationFaultTests {
    private struct Refused: Error {}

    private func fill(_ bench: RelayBench, _ count: Int) async throws {
        try await bench.sql(
            """
            INSERT INTO $outbox.message (destination, payload, key)
            SELECT 'd', convert_to(i::text, 'UTF8'), 'k' || i % 50 FROM generate_series(1, \(count)) AS i
            """)
    }

    /// How often a relay's events say that the destination is down.
    private func outages(_ relay: Relay) -> Task<Int, Never> {
        let events = relay.events(bufferingNewest: 1_000_000)
        return Task { await events.reduce(0) { if case .opened = $1 { $0 + 1 } else { $0 } } }
    }

    @Test func oneKeyThatFailsHoldsUpItselfOnly() async throws {
        let bench = try await RelayBench.make()
        try await self.fill(bench, 3000)
        let deliveries = Deliveries()
        let failures = Atomic(0)
        let relay = bench.relay([
            "d": .handler(retry: .constant(.milliseconds(1), maximumAttempts: 1_000_000)) { message in
                // Until all others have been delivered, and until it has failed more often than opens a breaker.
                if message.key == "k7",
                    deliveries.count < 2940 || failures.add(1, ordering: .relaxed).newValue < 40
                {
                    throw Refused()
                }
                deliveries.add(message)
            }
        ])
        let outages = self.outages(relay)
        try await bench.run(relay) {
            try await eventually("the others are delivered") { deliveries.count >= 2940 }
            #expect(!deliveries.all.prefix(2940).contains { $0.key == "k7" })
            try await eventually("all are delivered") { deliveries.count == 3000 }
            try await eventually("all is stored") { try await bench.deferredCount() + bench.pendingCount() == 0 }
        }
        #expect(deliveries.isOrderedByKey && deliveries.repeats == 0)
        // Those behind the first one have waited without an attempt.
        let waited = deliveries.all.filter { $0.key == "k7" }
        #expect(waited[0].attempt > 1 && waited.dropFirst().allSatisfy { $0.attempt == 1 })
        #expect(await outages.value == 0)
        #expect(try await bench.deadCount() == 0)
    }

    @Test func oneInAThousandThatFails() async throws {
        let bench = try await RelayBench.make()
        try await self.fill(bench, 20_000)
        let deliveries = Deliveries()
        let relay = bench.relay([
            "d": .handler(retry: .constant(.milliseconds(1), maximumAttempts: 3)) { message in
                if message.id.isMultiple(of: 1000), message.attempt == 1 { throw Refused() }
                deliveries.add(message)
            }
        ])
        let outages = self.outages(relay)
        try await bench.run(relay) {
            try await eventually("all are delivered") { deliveries.count == 20_000 }
            try await eventually("all is stored") { try await bench.deferredCount() + bench.pendingCount() == 0 }
        }
        #expect(deliveries.isOrderedByKey && deliveries.repeats == 0)
        #expect(deliveries.all.count { $0.attempt == 2 } == 20)
        #expect(await outages.value == 0)
        #expect(try await bench.deadCount() == 0)
    }

    /// Down and up again, over and over, with producers at work.
    @Test func aDestinationThatFlaps() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let calls = Atomic(0)
        let breaker = BreakerPolicy.opening(initialDelay: .milliseconds(2), maximumDelay: .milliseconds(4))
        let relay = bench.relay([
            "d": .handler(breaker: breaker) { message in
                // Of 40 calls the last 10 find it down; while it is down, those are probes.
                if calls.add(1, ordering: .relaxed).oldValue % 40 >= 30 { throw DeliveryFailure.unavailable("down") }
                deliveries.add(message)
            }
        ])
        let producer = NumberedProducer(bench)
        let outages = self.outages(relay)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await producer.run() }
            try await bench.run(relay) {
                try await eventually("it has been down several times") { calls.load(ordering: .relaxed) >= 240 }
                producer.stop()
                try await group.waitForAll()
                try await eventually("all are delivered") { deliveries.hasAll(upTo: producer.count) }
                try await eventually("all is stored") { try await bench.pendingCount() == 0 }
            }
        }
        #expect(deliveries.repeats == 0 && deliveries.all.allSatisfy { $0.attempt == 1 })
        #expect(await outages.value >= 5)
        #expect(try await bench.deferredCount() + bench.deadCount() == 0)
    }
}
