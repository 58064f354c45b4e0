import Outbox
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// What a destination that is down costs the server.
@Suite(.schema, .timeLimit(.minutes(10))) struct OutageTests {
    private let probing = BreakerPolicy.opening(initialDelay: .milliseconds(2), maximumDelay: .milliseconds(4))

    /// Rows of a table that were written by sessions that have ended, in its whole life.
    private func rowsWritten(_ table: String, _ bench: RelayBench) async throws -> Int {
        try await bench.count(
            """
            SELECT (n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_user_tables
            WHERE relid = '$outbox.\(table)'::regclass
            """)
    }

    @Test func anOutageWritesNothing() async throws {
        let bench = try await RelayBench.make()
        try await bench.sql(
            """
            INSERT INTO $outbox.message (destination, payload, key)
            SELECT 'd', convert_to(i::text, 'UTF8'), 'k' || i % 500 FROM generate_series(1, 12000) AS i
            """)
        try await bench.sql(
            "INSERT INTO $outbox.message (destination, payload) SELECT 'other', 'x' FROM generate_series(1, 2000) AS i")
        let deliveries = Deliveries()
        let calls = Atomic(0)
        let others = Atomic(0)
        let relay = bench.relay([
            "d": .handler(breaker: self.probing) { message in
                let calls = calls.add(1, ordering: .relaxed).newValue
                if calls < 300 || others.load(ordering: .relaxed) < 2000 { throw DeliveryFailure.unavailable("down") }
                deliveries.add(message)
            },
            "other": .handler { _ in others.add(1, ordering: .relaxed) },
        ])
        let stream = relay.events(bufferingNewest: 100_000)
        async let events = stream.reduce(into: [RelayEvent]()) { $0.append($1) }
        try await bench.run(relay) {
            try await eventually("the other destination is delivered") { others.load(ordering: .relaxed) >= 2000 }
            try await eventually("everything is delivered") { deliveries.count >= 12_000 }
        }
        #expect(deliveries.count == 12_000)
        #expect(deliveries.isOrderedByKey)
        #expect(deliveries.all.allSatisfy { $0.attempt == 1 })
        #expect(try await bench.pendingCount() == 0)
        let seen = await events
        #expect(seen.filter { if case .opened = $0 { true } else { false } }.count == 1)
        #expect(seen.filter { $0 == .closed(destination: "d") }.count == 1)
        // A session tells its statistics all at once, when it ends.
        try await eventually("the relay's writes are counted") { try await self.rowsWritten("stream", bench) > 0 }
        #expect(try await self.rowsWritten("deferred", bench) == 0)
        #expect(try await self.rowsWritten("dead_letter", bench) == 0)
    }

    @Test func whileADestinationIsDownNobodyRings() async throws {
        let bench = try await RelayBench.make()
        try await bench.sql(
            "INSERT INTO $outbox.message (destination, payload) SELECT 'd', 'x' FROM generate_series(1, 500) AS i")
        let isDown = Atomic(true)
        let deliveries = Deliveries()
        let opened = Atomic(0)
        let relay = bench.relay([
            "d": .handler(breaker: .opening(initialDelay: .seconds(1), maximumDelay: .seconds(1))) { message in
                if isDown.load(ordering: .relaxed) { throw DeliveryFailure.unavailable("down") }
                deliveries.add(message)
            }
        ])
        let stream = relay.events
        async let events: Void = {
            for await event in stream {
                if case .opened = event { opened.add(1, ordering: .relaxed) }
            }
        }()
        let listener = try await LibPQConnection.connect(bench.postgres)
        let oid = try await bench.count("SELECT '$outbox.message'::regclass::oid::bigint")
        try await listener.execute(script: "LISTEN outbox_\(oid)")
        try await bench.run(relay) {
            try await eventually("it is down") { opened.load(ordering: .relaxed) == 1 }
            try await eventually("it has let go of the bell") { try await !bench.isAsleep() }
            for _ in 1...50 { try await bench.sql("SELECT $outbox.enqueue('d', 'y')") }
            var rings = 0
            try await listener.execute(script: "NOTIFY outbox_\(oid), 'end'")
            while case .notified(let notifications) = try await listener.waitForActivity(until: .now + .seconds(120)) {
                rings += notifications.count { $0.payload.isEmpty }
                if notifications.contains(where: { $0.payload == "end" }) { break }
            }
            #expect(rings == 0)
            isDown.store(false, ordering: .relaxed)
            try await eventually("everything is delivered") { deliveries.count >= 550 }
            try await eventually("it sleeps") { try await bench.isAsleep() }
        }
        await events
        #expect(deliveries.count == 550)
    }

    @Test func aRelayThatEndsWhileADestinationIsDownLosesNothing() async throws {
        let bench = try await RelayBench.make()
        try await bench.sql(
            """
            INSERT INTO $outbox.message (destination, payload, key)
            SELECT 'd', convert_to(i::text, 'UTF8'), 'k' || i % 50 FROM generate_series(1, 3000) AS i
            """)
        let hour = Duration.seconds(3600)
        let calls = Atomic(0)
        var patient = RelayBench.quick
        patient.shutdown.deadline = hour
        let first = bench.relay(
            [
                "d": .handler(breaker: .opening(initialDelay: hour, maximumDelay: hour)) { _ in
                    calls.add(1, ordering: .relaxed)
                    throw DeliveryFailure.unavailable("down")
                }
            ], settings: patient)
        try await bench.run(first) {
            try await eventually("it is down") { calls.load(ordering: .relaxed) > 0 }
            // Another session finds it down too.
            let before = calls.load(ordering: .relaxed)
            try await bench.terminateOwner()
            try await eventually("it is down again") { calls.load(ordering: .relaxed) > before }
        }
        #expect(try await bench.deferredCount() == 0)
        #expect(try await bench.pendingCount() == 3000)
        let deliveries = Deliveries()
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }])) {
            try await eventually("everything is delivered") { deliveries.count >= 3000 }
        }
        #expect(deliveries.count == 3000 && deliveries.isOrderedByKey)
        #expect(deliveries.all.allSatisfy { $0.attempt == 1 })
    }
}
