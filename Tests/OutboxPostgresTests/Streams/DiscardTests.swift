import Outbox
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// What waits is thrown away, and nothing that comes later.
@Suite(.schema, .timeLimit(.minutes(5))) struct DiscardTests {
    private func enqueue(_ bench: RelayBench, _ destination: String, _ texts: [String]) async throws {
        for text in texts { try await bench.sql("SELECT $outbox.enqueue('\(destination)', '\(text)')") }
    }

    private func waiting(_ bench: RelayBench) async throws -> [Int] {
        let status = try await OutboxInspector(schema: bench.schema).status(on: bench.admin)
        return status.streams.map { $0.lag.value + $0.deferred.value }
    }

    /// A message that commits later has a lower id than what was thrown away.
    @Test(arguments: [1, 4]) func whatCommitsLaterIsDelivered(streams count: Int) async throws {
        let bench = try await RelayBench.make()
        let streams = OutboxStreams(schema: bench.schema)
        let deliveries = Deliveries()
        let relay = { bench.relay(["d": .handler { deliveries.add($0) }, "e": .handler { deliveries.add($0) }]) }
        try await bench.run(relay()) {
            try await self.enqueue(bench, "d", ["1"])
            try await eventually("it is delivered") { deliveries.count == 1 }
            if count > 1 { try await streams.split("d", into: count, on: bench.admin) }
        }
        let writer = try await LibPQConnection.connect(bench.postgres)
        let transaction = try await writer.begin()
        for key in 1...8 {
            _ = try await writer.query(
                LibPQStatement(bench.render("SELECT $outbox.enqueue('d', 'late \(key)', key => 'k\(key)')")))
        }
        try await self.enqueue(bench, "d", (2...50).map(String.init))
        try await self.enqueue(bench, "e", ["e"])
        let counted = try await streams.discard("d", dryRun: true, on: bench.admin)
        #expect(counted == OutboxStreams.Discarded(messages: .init(49), deferred: .init(0)))
        #expect(try await self.waiting(bench).reduce(0, +) == 50, "a dry run changes nothing")
        #expect(try await streams.discard("d", on: bench.admin) == counted)
        #expect(try await self.waiting(bench).reduce(0, +) == 1)
        try await transaction.commit()
        await writer.close()
        try await self.enqueue(bench, "d", ["new"])
        try await bench.run(relay()) {
            try await eventually("what came later is delivered") { deliveries.count == 11 }
        }
        #expect(Set(deliveries.texts) == Set(["1", "e", "new"] + (1...8).map { "late \($0)" }))
        #expect(try await streams.discard("d", on: bench.admin).messages == .init(0))
    }

    @Test func ofADestinationThatNoRelayHasEverServed() async throws {
        let bench = try await RelayBench.make()
        let streams = OutboxStreams(schema: bench.schema)
        let deliveries = Deliveries()
        await #expect { try await streams.discard("d", on: bench.admin) } throws: {
            ($0 as? OutboxError)?.code == .streamMissing
        }
        try await self.enqueue(bench, "d", ["1", "2"])
        #expect(try await streams.discard("d", dryRun: true, on: bench.admin).messages == .init(2))
        #expect(try await bench.count("SELECT count(*) FROM $outbox.stream") == 0)
        #expect(try await streams.discard("d", on: bench.admin).messages == .init(2))
        try await self.enqueue(bench, "d", ["3"])
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }])) {
            try await eventually("what came later is delivered") { deliveries.texts == ["3"] }
        }
        // One that no relay has is not made: its stream would keep the log.
        for (destination, subscription) in [("d", "misspelled"), ("e", "misspelled")] {
            try await self.enqueue(bench, "e", ["e"])
            await #expect {
                try await streams.discard(Destination(destination), subscription: subscription, on: bench.admin)
            } throws: {
                ($0 as? OutboxError)?.code == .streamMissing
            }
        }
        #expect(try await bench.count("SELECT count(*) FROM $outbox.stream") == 1)
        // Another subscription has lost nothing.
        var settings = RelayBench.quick
        settings.subscription = "other"
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }], settings: settings)) {
            try await eventually("all is delivered") { deliveries.texts == ["3", "1", "2", "3"] }
        }
    }

    /// With what is to be tried again, and what waits behind it.
    @Test func deferredMessagesAreGone() async throws {
        let bench = try await RelayBench.make()
        let streams = OutboxStreams(schema: bench.schema)
        let deliveries = Deliveries()
        let refuses = Mutex(true)
        let handler = DestinationHandler.handler(retry: .constant(.seconds(3600), maximumAttempts: 9), breaker: .off) {
            message in
            if refuses.withLock({ $0 }) { throw DeliveryFailure.retry("no") }
            deliveries.add(message)
        }
        try await bench.run(bench.relay(["d": handler])) {
            for number in 1...5 { try await bench.sql("SELECT $outbox.enqueue('d', '\(number)', key => 'k')") }
            try await eventually("they are deferred") { try await bench.deferredCount() == 5 }
            refuses.withLock { $0 = false }
            #expect(try await streams.discard("d", on: bench.admin).deferred == .init(5))
            #expect(try await bench.deferredCount() == 0)
            try await bench.sql("SELECT $outbox.enqueue('d', 'new', key => 'k')")
            try await eventually("the key goes on") { deliveries.texts == ["new"] }
        }
        #expect(try await bench.count("SELECT count(*) FROM $outbox.dead_letter") == 0)
    }

    /// Again and again while a relay delivers and producers enqueue: what is enqueued after a discard is not thrown away by it, and the order of
    /// keys holds.
    @Test func beneathARelayAtWork() async throws {
        let bench = try await RelayBench.make()
        let streams = OutboxStreams(schema: bench.schema)
        let deliveries = Deliveries()
        let gate = Mutex(0)
        let handler = DestinationHandler.handler(concurrency: 8) { message in
            // Some are with the handler while their stream is moved.
            if gate.withLock({ count in
                count += 1; return count
            }) % 16 == 0 {
                await Task.yield()
            }
            deliveries.add(message)
        }
        let rounds = 20
        try await bench.run(bench.relay(["d": handler])) {
            for round in 1...rounds {
                try await bench.sql(
                    """
                    INSERT INTO $outbox.message (destination, payload, key)
                    SELECT 'd', convert_to('old \(round) ' || i, 'UTF8'), 'k' || i % 10 FROM generate_series(1, 500) AS i
                    """)
                try await streams.discard("d", on: bench.admin)
                try await bench.sql(
                    """
                    INSERT INTO $outbox.message (destination, payload, key)
                    SELECT 'd', convert_to('new \(round) ' || i, 'UTF8'), 'k' || i % 10 FROM generate_series(1, 20) AS i
                    """)
                try await eventually("what came later is delivered") {
                    deliveries.texts.count { $0.hasPrefix("new \(round) ") } >= 20
                }
            }
        }
        let texts = deliveries.texts
        #expect(Set(texts.filter { $0.hasPrefix("new") }).count == rounds * 20)
        for key in 0..<10 {
            let numbers = texts.filter { $0.hasPrefix("new") && Int($0.split(separator: " ")[2])! % 10 == key }
                .map { text in text.split(separator: " ").dropFirst().map { Int($0)! } }
            let places = numbers.map { $0[0] * 1000 + $0[1] }
            #expect(places == places.sorted(), "key \(key)")
        }
    }
}
