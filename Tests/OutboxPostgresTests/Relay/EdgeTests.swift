import Outbox
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// Things that happen together, or that hardly ever happen.
@Suite(.schema, .timeLimit(.minutes(10))) struct EdgeTests {
    @Test func aRingAndAChangeOfDeferredInOneCommit() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let relay = bench.relay(["d": .handler { deliveries.add($0) }])
        try await bench.run(relay) {
            for round in 1...10 {
                try await eventually("it sleeps") { try await bench.isAsleep() }
                try await bench.script(
                    "BEGIN; UPDATE $outbox.deferred SET attempts = 0; SELECT $outbox.enqueue('d', 'x'); COMMIT")
                try await eventually("round \(round)") { deliveries.count == round }
            }
        }
    }

    @Test func twoBatchClosuresGetTheirOwnMessagesOnly() async throws {
        let bench = try await RelayBench.make()
        let calls = Mutex<[String: [String]]>([:])
        @Sendable func closure(_ name: String) -> @Sendable ([Message]) async throws -> [Outcome] {
            { messages in
                calls.withLock { $0[name, default: []] += messages.map { $0.route ?? "" } }
                return messages.map { _ in .delivered }
            }
        }
        try await bench.sql(
            """
            INSERT INTO $outbox.message (destination, payload, route, key)
            SELECT 'd', ''::bytea, CASE i % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' ELSE 'c' END, 'k'
            FROM generate_series(1, 300) AS i
            """)
        let relay = bench.relay([
            "d": .routes(
                ["a": .batch(closure("a")), "b": .batch(closure("b")), "c": .handler { message in
                    _ = try await closure("c")([message])
                }])
        ])
        try await bench.run(relay) {
            try await eventually("all are delivered") { calls.withLock { $0.values.reduce(0) { $0 + $1.count } } == 300 }
        }
        #expect(calls.withLock { $0.allSatisfy { name, routes in Set(routes) == [name] && routes.count == 100 } })
    }

    @Test func twoSubscriptionsGetEverythingAtTheSameTime() async throws {
        let bench = try await RelayBench.make()
        let main = Deliveries()
        let audit = Deliveries()
        var settings = RelayBench.quick
        settings.subscription = "audit"
        let second = bench.relay(["d": .handler { audit.add($0) }], settings: settings)
        try await bench.run(bench.relay(["d": .handler { main.add($0) }])) {
            try await bench.run(second) {
                for round in 1...20 {
                    try await bench.sql("SELECT $outbox.enqueue('d', '\(round)')")
                    try await eventually("both have it") { main.count == round && audit.count == round }
                }
            }
        }
        #expect(main.texts == audit.texts)
    }

    @Test func aRelayThatOnlyPollsFindsEverything() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let store = PostgresStore(
            postgres: bench.postgres, schema: bench.schema, wakeup: .polling(every: .milliseconds(5)))
        let relay = bench.relay(
            ["d": .handler(retry: .never) { message in
                deliveries.add(message)
                if deliveries.count == 1 { throw DeliveryFailure.reject("once") }
            }], store: store)
        try await bench.run(relay) {
            try await bench.sql("SELECT $outbox.enqueue('d', 'x')")
            try await eventually("it is dead") { try await bench.deadCount() == 1 }
            #expect(try await bench.isAsleep() == false)
            _ = try await OutboxInspector(schema: bench.schema).replay(
                matching: DeadLetterFilter(), dryRun: false, on: bench.admin)
            try await eventually("it is delivered") { deliveries.count == 2 }
        }
    }

    @Test func aPreparedTransactionCanOptOutOfRinging() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let name = bench.schema.name
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }])) {
            try await eventually("it sleeps") { try await bench.isAsleep() }
            try await bench.script(
                """
                BEGIN; SET LOCAL outbox.doorbell = 'off'; SELECT $outbox.enqueue('d', 'prepared');
                PREPARE TRANSACTION '\(name)';
                """)
            try await bench.sql("COMMIT PREPARED '\(name)'")
            // No producer rang for it; the next ring brings both.
            try await bench.sql("SELECT $outbox.enqueue('d', 'rings')")
            try await eventually("both are delivered") { deliveries.count == 2 }
        }
        #expect(Set(deliveries.texts) == ["prepared", "rings"])
    }

    @Test(arguments: ["1700-01-01", "2400-01-01", "infinity", "-infinity"])
    func aRowWithAnOddDateStopsNothing(date: String) async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        try await bench.script(
            """
            INSERT INTO $outbox.message (destination, payload, created_at) VALUES ('d', 'odd', '\(date)');
            INSERT INTO $outbox.message (destination, payload, created_at) VALUES ('unregistered', 'odd', '\(date)');
            SELECT $outbox.enqueue('ok', 'fine');
            """)
        _ = try await OutboxInspector(schema: bench.schema).status(on: bench.admin)
        let routes: RelayRoutes = ["d": .handler { deliveries.add($0) }, "ok": .handler { deliveries.add($0) }]
        try await bench.run(bench.relay(routes)) {
            try await eventually("both are delivered") { deliveries.count == 2 }
        }
        try await bench.sql("INSERT INTO $outbox.message (destination, payload, created_at) VALUES ('d', 'odd', '\(date)')")
        _ = try await OutboxInspector(schema: bench.schema).status(on: bench.admin)
    }

    /// As after a dump and restore to a server whose transactions have lower numbers.
    @Test(arguments: [1000, 10]) func lateMessagesSurviveARestore(page: Int) async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        var settings = RelayBench.quick
        settings.page.messages = page
        let routes: RelayRoutes = ["d": .handler { deliveries.add($0) }]
        try await bench.script(
            """
            INSERT INTO $outbox.stream (destination, snapshot, position, horizon)
            VALUES ('d', '9000000000:9000000010:', 100, '9000000100');
            INSERT INTO $outbox.message (xid, destination, payload)
            SELECT CASE WHEN i % 2 = 0 THEN '9000000050'::xid8 ELSE '8000000000'::xid8 END, 'd', convert_to(i::text, 'UTF8')
            FROM generate_series(1, 100) AS i;
            SELECT $outbox.enqueue('d', 'new');
            """)
        for _ in 1...2 {
            try await bench.run(bench.relay(routes, settings: settings)) {
                try await eventually("what was late there is delivered here") { deliveries.count >= 51 }
                try await eventually("it sleeps") { try await bench.isAsleep() }
            }
        }
        #expect(deliveries.texts.sorted() == (Array(1...50).map { String($0 * 2) } + ["new"]).sorted())
    }

    @Test func anEarlierDeferredMessageBeyondTheLimitIsTriedFirst() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        // Of key k, the later message is due for longer than the earlier one, and the page has room for one.
        try await bench.script(
            """
            INSERT INTO $outbox.deferred (
                id, created_at, destination, key, payload, attempts, next_attempt_at, ordered)
            VALUES
                (1, now(), 'd', 'k', '1', 1, now() - interval '1 minute', true),
                (2, now(), 'd', 'k', '2', 1, now() - interval '2 minutes', true),
                (3, now(), 'd', 'k', '3', 0, 'infinity', true);
            """)
        var settings = RelayBench.quick
        settings.page.messages = 1
        settings.window.messages = 1
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }], settings: settings)) {
            try await eventually("all are delivered") { deliveries.count == 3 }
        }
        #expect(deliveries.texts == ["1", "2", "3"])
    }
}
