import Outbox
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

@Suite(.schema, .timeLimit(.minutes(10))) struct DeliveryTests {
    @Test func everyMessageOnceAndInOrderByKey() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        try await bench.sql(
            """
            INSERT INTO $outbox.message (destination, payload, key)
            SELECT 'd', convert_to(i::text, 'UTF8'), 'k' || (i % 97) FROM generate_series(1, 10000) AS i
            """)
        let relay = bench.relay(["d": .handler { deliveries.add($0) }])
        try await bench.run(relay) {
            try await eventually("all are delivered") { deliveries.count >= 10_000 }
        }
        #expect(Set(deliveries.all.map(\.id)).count == 10_000)
        #expect(deliveries.count == 10_000)
        #expect(deliveries.isOrderedByKey)
        #expect(try await bench.pendingCount() == 0, "the cursor was committed at the end")
    }

    @Test func whatWasRolledBackIsNeverDelivered() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let relay = bench.relay(["d": .handler { deliveries.add($0) }])
        try await bench.run(relay) {
            try await bench.script(
                """
                BEGIN; SELECT $outbox.enqueue('d', 'rolled back'); ROLLBACK;
                BEGIN;
                SELECT $outbox.enqueue('d', 'first');
                SAVEPOINT s; SELECT $outbox.enqueue('d', 'in a savepoint rolled back'); ROLLBACK TO s;
                SAVEPOINT t; SELECT $outbox.enqueue('d', 'in a savepoint released'); RELEASE t;
                COMMIT;
                SELECT $outbox.enqueue('d', 'last');
                """)
            try await eventually("the last is delivered") { deliveries.texts.contains("last") }
        }
        #expect(Set(deliveries.texts) == ["first", "in a savepoint released", "last"])
    }

    /// The wake-up, over and over, with nothing but NOTIFY to rely on.
    @Test func aSleepingRelayIsWokenByEveryCommit() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let relay = bench.relay(["d": .handler { deliveries.add($0) }])
        try await bench.run(relay) {
            for round in 1...50 {
                try await eventually("it sleeps") { try await bench.isAsleep() }
                #expect(deliveries.count == round - 1, "asleep means that nothing is there")
                try await bench.sql("SELECT $outbox.enqueue('d', 'x')")
                try await eventually("round \(round)") { deliveries.count == round }
            }
        }
    }

    @Test func transactionsThatCommitOutOfOrderAreDeliveredOnce() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let relay = bench.relay(["d": .handler { deliveries.add($0) }])
        let late = try await LibPQConnection.connect(bench.postgres)
        try await bench.run(relay) {
            // Two late transactions: one whose number is in xip when the relay passes, one whose number is at or
            // above xmax, which a design that looks at xip alone loses.
            let later = try await LibPQConnection.connect(bench.postgres)
            try await late.execute(script: bench.render("BEGIN; SELECT $outbox.enqueue('d', 'late')"))
            try await later.execute(script: bench.render("BEGIN; SELECT $outbox.enqueue('d', 'later')"))
            try await bench.sql("SELECT $outbox.enqueue('d', 'early')")
            try await eventually("the early one is delivered") { deliveries.count == 1 }
            try await late.execute(script: "COMMIT")
            try await eventually("the late one is delivered") { deliveries.count == 2 }
            try await later.execute(script: "COMMIT")
            try await eventually("the later one is delivered") { deliveries.count == 3 }
        }
        #expect(deliveries.texts == ["early", "late", "later"])
        #expect(try await bench.pendingCount() == 0)
    }

    @Test func aLatePartLongerThanAPageIsPagedThrough() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        var settings = RelayBench.quick
        settings.page.messages = 100
        let relay = bench.relay(["d": .handler { deliveries.add($0) }], settings: settings)
        let late = try await LibPQConnection.connect(bench.postgres)
        try await bench.run(relay) {
            try await late.execute(
                script: bench.render(
                    """
                    BEGIN;
                    INSERT INTO $outbox.message (destination, payload, key)
                    SELECT 'd', convert_to(i::text, 'UTF8'), 'k' || i % 7 FROM generate_series(1, 2550) AS i
                    """))
            try await bench.sql("SELECT $outbox.enqueue('d', 'early')")
            try await eventually("the early one is delivered") { deliveries.count == 1 }
            try await late.execute(script: "COMMIT")
            try await bench.sql("SELECT $outbox.enqueue('d', 'fresh')")
            try await eventually("all are delivered") { deliveries.count >= 2552 }
        }
        #expect(Set(deliveries.all.map(\.id)).count == 2552)
        #expect(deliveries.count == 2552)
        #expect(deliveries.isOrderedByKey)
        #expect(try await bench.pendingCount() == 0)
    }

    @Test func pagesAreCutByBytes() async throws {
        let bench = try await RelayBench.make()
        try await bench.sql(
            """
            INSERT INTO $outbox.message (destination, payload)
            SELECT 'd', convert_to(repeat('x', 30000), 'UTF8') FROM generate_series(1, 50)
            """)
        let largest = Mutex(0)
        let deliveries = Deliveries()
        var settings = RelayBench.quick
        settings.page.bytes = 100_000
        let relay = bench.relay(
            [
                "d": .batch(concurrency: 1) { messages in
                    largest.withLock { $0 = max($0, messages.count) }
                    for message in messages { deliveries.add(message) }
                    return messages.map { _ in .delivered }
                }
            ], settings: settings)
        try await bench.run(relay) {
            try await eventually("all are delivered") { deliveries.count == 50 }
        }
        #expect(largest.withLock { $0 } == 4, "the message that crosses the limit is the page's last")
    }

    @Test func destinationsWithoutARouteWait() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        try await bench.script("SELECT $outbox.enqueue('a', 'a1'); SELECT $outbox.enqueue('b', 'b1')")
        try await bench.run(bench.relay(["a": .handler { deliveries.add($0) }])) {
            try await eventually("a is delivered") { deliveries.count == 1 }
        }
        try await bench.script("SELECT $outbox.enqueue('b', 'b2'); SELECT $outbox.enqueue('a', 'a2')")
        let routes: RelayRoutes = ["a": .handler { deliveries.add($0) }, "b": .handler { deliveries.add($0) }]
        try await bench.run(bench.relay(routes)) {
            try await eventually("everything is delivered") { deliveries.count == 4 }
        }
        #expect(deliveries.texts.filter { $0.hasPrefix("b") }.sorted() == ["b1", "b2"])
        #expect(Set(deliveries.texts) == ["a1", "a2", "b1", "b2"])
    }

    @Test func routesInsideADestination() async throws {
        let bench = try await RelayBench.make()
        let calls = Mutex<[String]>([])
        @Sendable func note(_ handler: String) -> @Sendable (Message) -> Void {
            { message in calls.withLock { $0.append("\(handler):\(message.route ?? "-")") } }
        }
        try await bench.script(
            """
            SELECT $outbox.enqueue('d', 'x', route => 'user.created');
            SELECT $outbox.enqueue('d', 'x', route => 'user.deleted');
            SELECT $outbox.enqueue('d', 'x', route => 'order.created');
            SELECT $outbox.enqueue('d', 'x');
            """)
        let exact = note("exact")
        let pattern = note("pattern")
        let other = note("other")
        let relay = bench.relay([
            "d": .routes(
                ["user.created": .handler { exact($0) }, "user.*": .handler { pattern($0) }],
                otherwise: .handler { other($0) })
        ])
        try await bench.run(relay) {
            try await eventually("all are delivered") { calls.withLock(\.count) == 4 }
        }
        #expect(
            calls.withLock { Set($0) } == [
                "exact:user.created", "pattern:user.deleted", "other:order.created", "other:-",
            ])
    }

    @Test func aMessageCarriesEverythingItWasEnqueuedWith() async throws {
        let bench = try await RelayBench.make()
        let seen = Mutex<[String]>([])
        try await bench.sql(
            """
            SELECT $outbox.enqueue(
                'd', '\\x00ff'::bytea, key => 'schlüssel', route => 'r',
                headers => '{"a": "b\\u00e4", "traceparent": "00-1-2-03"}')
            """)
        let relay = bench.relay([
            "d": .handler { message in
                seen.withLock {
                    $0.append("\(message.destination) \(message.route!) \(message.key!) \(message.attempt)")
                    $0.append("\(message.headers.sorted { $0.key < $1.key })")
                    $0.append("\(message.payload) \(message.id) \(message.slot == 0 ? 0 : 1)")
                }
            }
        ])
        try await bench.run(relay) {
            try await eventually("it is delivered") { seen.withLock(\.count) == 3 }
        }
        #expect(
            seen.withLock { $0 } == [
                "d r schlüssel 1", #"[(key: "a", value: "bä"), (key: "traceparent", value: "00-1-2-03")]"#,
                "[0, 255] 1 1",
            ])
    }
}
