import Foundation
import Outbox
import OutboxTestServers
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// What people do to a database while a relay works on it, or while none does.
@Suite(.schema, .timeLimit(.minutes(10))) struct OperatorTests {
    /// Its locks, its channel and its cursors are another outbox's.
    @Test func anOutboxThatIsDroppedAndCreatedAnewIsNoticed() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let store = PostgresStore(
            postgres: bench.postgres, schema: bench.schema, wakeup: .notify(fallback: .milliseconds(20)))
        let relay = bench.relay(["d": .handler { deliveries.add($0) }], store: store)
        let events = relay.events
        try await bench.run(relay) {
            try await bench.sql("SELECT $outbox.enqueue('d', 'old') FROM generate_series(1, 50)")
            try await eventually("the old ones are committed") { try await bench.pendingCount() == 0 }
            try await bench.admin.execute(script: bench.schema.down + bench.schema.sql)
            try await bench.sql("SELECT $outbox.enqueue('d', 'new') FROM generate_series(1, 10)")
            try await eventually("the new ones are committed") { try await bench.pendingCount() == 0 }
        }
        #expect(deliveries.texts == Array(repeating: "old", count: 50) + Array(repeating: "new", count: 10))
        #expect(try await bench.count("SELECT position FROM $outbox.stream") == 10)
        var ends = 0
        for await event in events { if case .disconnected = event { ends += 1 } }
        #expect(ends == 1)
    }

    @Test func aCommitToTheCursorOfAnotherLogIsRefused() async throws {
        let bench = try await RelayBench.make()
        let started = Atomic(false)
        let (goes, go) = AsyncStream.makeStream(of: Void.self)
        let relay = bench.relay([
            "d": .handler { _ in
                if started.exchange(true, ordering: .relaxed) { return }
                for await _ in goes {}
            }
        ])
        try await bench.run(relay) {
            try await bench.sql("SELECT $outbox.enqueue('d', 'old') FROM generate_series(1, 50)")
            try await eventually("it delivers") { started.load(ordering: .relaxed) }
            // Nothing is read in between: the page is out, and the window has room.
            try await bench.admin.execute(script: bench.schema.down + bench.schema.sql)
            try await bench.sql(
                """
                INSERT INTO $outbox.stream (destination, snapshot, position, horizon)
                VALUES ('d', pg_current_snapshot(), 0, pg_current_xact_id())
                ON CONFLICT DO NOTHING
                """)
            try await bench.sql("SELECT $outbox.enqueue('d', 'new') FROM generate_series(1, 10)")
            go.finish()
            try await eventually("the new ones are committed") { try await bench.pendingCount() == 0 }
        }
        #expect(try await bench.count("SELECT position FROM $outbox.stream") == 10)
    }

    /// A deferred message and a new one with its number must not be taken for each other.
    @Test func numbersThatBeginAnewBesideOldOnesAreRefused() async throws {
        let bench = try await RelayBench.make()
        let failing: RelayRoutes = [
            "d": .handler(retry: .constant(.seconds(3600), maximumAttempts: 5)) { message in
                if message.id == 1 { throw DeliveryFailure.reject("no") }
                throw DeliveryFailure.retry("later")
            }
        ]
        try await bench.sql("SELECT $outbox.enqueue('d', 'old') FROM generate_series(1, 2)")
        try await bench.run(bench.relay(failing)) {
            try await eventually("both are settled") { try await bench.pendingCount() == 0 }
        }
        try await bench.script("TRUNCATE $outbox.message RESTART IDENTITY")
        try await bench.sql("SELECT $outbox.enqueue('d', 'new') FROM generate_series(1, 2)")
        let attempts = Atomic(0)
        let counting: RelayRoutes = [
            "d": .handler(retry: .constant(.seconds(3600), maximumAttempts: 5)) { message in
                attempts.add(1, ordering: .relaxed)
                if message.id == 1 { throw DeliveryFailure.reject("no") }
                throw DeliveryFailure.retry("later")
            }
        ]
        try await bench.run(bench.relay(counting)) {
            try await eventually("both were tried") { attempts.load(ordering: .relaxed) == 2 }
            let (dead, deferred) = (try await bench.deadCount(), try await bench.deferredCount())
            #expect(dead == 1 && deferred == 1)
            // When the old ones are gone, it goes on.
            try await bench.script("DELETE FROM $outbox.deferred; DELETE FROM $outbox.dead_letter")
            try await eventually("the new ones are settled") {
                let (dead, deferred) = (try await bench.deadCount(), try await bench.deferredCount())
                return dead == 1 && deferred == 1
            }
        }
        #expect(attempts.load(ordering: .relaxed) == 2, "what was refused was kept")
    }

    /// What its locks protect is gone, so a relay of the dropped outbox may not touch what waits in the new one.
    @Test func deferredMessagesOfANewOutboxAreNotTheOldRelays() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let relay = bench.relay([
            "d": .handler(retry: .constant(.milliseconds(1), maximumAttempts: 1_000_000), breaker: .off) { message in
                deliveries.add(message)
                throw DeliveryFailure.retry("again")
            }
        ])
        // There is an event of each attempt: none may push the one out that counts.
        let events = relay.events(bufferingNewest: 1 << 20)
        let isDisconnected = Atomic(false)
        let listener = Task {
            for await event in events {
                if case .disconnected = event { isDisconnected.store(true, ordering: .relaxed) }
            }
        }
        try await bench.run(relay) {
            try await bench.sql("SELECT $outbox.enqueue('d', 'old')")
            // It tries again and again, from deferred alone, with no look at the log.
            try await eventually("it is tried again") { deliveries.count > 3 }
            try await bench.admin.execute(script: bench.schema.down + bench.schema.sql)
            try await bench.sql(
                """
                INSERT INTO $outbox.deferred (id, created_at, destination, payload)
                VALUES (7, now(), 'd', convert_to('new', 'UTF8'))
                """)
            try await eventually("it notices") { isDisconnected.load(ordering: .relaxed) }
        }
        await listener.value
        #expect(deliveries.texts.first == "old")
    }

    /// Also where the new numbers reach the old position, or do not.
    @Test(arguments: [3, 7, 20]) func aLogWhoseNumbersBeginAnewIsReadFromTheBeginning(count: Int) async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        for (text, count) in [("old", 7), ("new", count)] {
            try await bench.sql("SELECT $outbox.enqueue('d', '\(text)') FROM generate_series(1, \(count))")
            try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }])) {
                try await eventually("all are delivered") { deliveries.texts.contains(text) }
                try await eventually("all are committed") { try await bench.pendingCount() == 0 }
            }
            try await bench.script("TRUNCATE $outbox.message RESTART IDENTITY")
        }
        #expect(deliveries.texts.filter { $0 == "new" }.count == count && deliveries.count == 7 + count)
    }

    /// Runs `body` while the relay's statements wait for a lock.
    private func withStreamsLocked(_ bench: RelayBench, _ body: () async throws -> Void) async throws {
        try await bench.script("BEGIN; LOCK TABLE $outbox.stream IN ACCESS EXCLUSIVE MODE")
        let other = try await LibPQConnection.connect(bench.postgres)
        try await other.execute(script: bench.render("SELECT $outbox.enqueue('d', 'x')"))
        await other.close()
        try await eventually("a statement of the relay waits") {
            try await bench.count(
                "SELECT count(*) FROM pg_locks WHERE relation = '$outbox.stream'::regclass AND NOT granted") == 1
        }
        try await body()
        try await bench.script("ROLLBACK")
    }

    /// Bulk loaders, apply workers and some migration tools set it: ordinary triggers do not fire. A relay that sleeps without a
    /// fallback poll hears of what such a session enqueues, defers and changes.
    @Test func sessionsOfReplicasRing() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let replica = try await LibPQConnection.connect(bench.postgres)
        try await replica.execute(script: "SET session_replication_role = replica")
        func asReplica(_ sql: String) async throws {
            try await eventually("the relay sleeps") { try await bench.isAsleep() }
            try await replica.execute(script: bench.render(sql))
        }
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }])) {
            try await asReplica("SELECT $outbox.enqueue('d', 'enqueued')")
            try await eventually("it is delivered") { deliveries.texts == ["enqueued"] }
            try await asReplica(
                "INSERT INTO $outbox.deferred (id, created_at, destination, payload) VALUES (7, now(), 'd', 'deferred')"
            )
            try await eventually("it is delivered") { deliveries.texts == ["enqueued", "deferred"] }
            try await asReplica("UPDATE $outbox.stream SET position = 0")
            try await eventually("it comes again") { deliveries.texts == ["enqueued", "deferred", "enqueued"] }
        }
        #expect(try await bench.count("SELECT generation::bigint FROM $outbox.stream") == 1)
        await replica.close()
    }

    @Test func aCancelledStatementIsNoEnd() async throws {
        let bench = try await RelayBench.make()
        try await bench.run(bench.relay(["d": .handler { _ in }])) {
            try await eventually("it sleeps") { try await bench.isAsleep() }
            try await self.withStreamsLocked(bench) {
                let cancelled = try await bench.sql(
                    """
                    SELECT pid, pg_cancel_backend(pid) FROM pg_locks
                    WHERE relation = '$outbox.stream'::regclass AND NOT granted
                    """)
                let process = try cancelled[0].decode(0, as: Int32.self)
                // By its process: the relay's next session soon waits for the same lock.
                try await eventually("it has been cancelled") {
                    try await bench.count("SELECT count(*) FROM pg_locks WHERE pid = \(process) AND NOT granted") == 0
                }
            }
            try await eventually("it is committed") { try await bench.pendingCount() == 0 }
        }
    }

    /// This test hangs where a relay waits for an answer that does not come.
    @Test func aServerThatDoesNotAnswerDoesNotKeepARelayFromEnding() async throws {
        let bench = try await RelayBench.make()
        var settings = RelayBench.quick
        settings.shutdown.deadline = .zero
        let relay = bench.relay(["d": .handler { _ in }], settings: settings)
        let (ended, end) = AsyncStream.makeStream(of: Void.self)
        async let running: Void = {
            defer { end.finish() }
            try await relay.run()
        }()
        try await eventually("it sleeps") { try await bench.isAsleep() }
        try await self.withStreamsLocked(bench) {
            relay.stop()
            for await _ in ended {}
        }
        try await running
    }

    /// A relay connects, reads and delivers, and each commit ends its session.
    @Test func pausesGrowWhileNothingCanBeCommitted() async throws {
        let bench = try await RelayBench.make()
        try await bench.script(
            """
            CREATE FUNCTION $outbox.crash() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END';
            CREATE TRIGGER crash BEFORE UPDATE ON $outbox.stream
                FOR EACH ROW EXECUTE FUNCTION $outbox.crash();
            SELECT $outbox.enqueue('d', 'x')
            """)
        var settings = RelayBench.quick
        settings.reconnect.initialDelay = .milliseconds(1)
        settings.reconnect.maximumDelay = .seconds(60)
        let relay = bench.relay(["d": .handler { _ in }], settings: settings)
        let events = relay.events
        var delays: [Duration] = []
        async let run: Void = relay.run()
        for await event in events {
            guard case .disconnected(_, let delay) = event else { continue }
            delays.append(delay)
            // Each is drawn between 0 and a limit that doubles: that all eight are below the first limit is one chance in 2^28.
            if delays.count == 8 { relay.stop() }
        }
        try await run
        #expect(try #require(delays.max()) > .milliseconds(1))
    }

    @Test(arguments: [
        ("LATIN1", #"é can\u{2019}t \u{1F642}"#), ("EUC_JP", #"\u{E9} can\u{2019}t \u{1F642}"#),
        ("SQL_ASCII", "é can’t 🙂"),
    ])
    func whatADatabaseCannotStoreIsWrittenOtherwise(encoding: String, stored: String) async throws {
        let name = "outbox_\(encoding.lowercased())_\(UUID().uuidString.lowercased())"
        let server = try await TestServer.shared
        let admin = try await LibPQConnection.connect(LibPQConfiguration(server.url))
        try await admin.execute(
            script: "CREATE DATABASE \"\(name)\" ENCODING '\(encoding)' LOCALE 'C' TEMPLATE template0")
        var postgres = try LibPQConfiguration(server.url)
        postgres.parameters["dbname"] = name
        let bench = try await RelayBench.make(postgres: postgres)
        try await bench.sql("SELECT $outbox.enqueue('d', 'x', 'é')")
        let relay = bench.relay(["d": .handler { _ in throw DeliveryFailure.reject("é can’t 🙂") }])
        try await bench.run(relay) { try await eventually("it is dead") { try await bench.deadCount() == 1 } }
        let errors = try await bench.sql("SELECT last_error FROM $outbox.dead_letter").map {
            try $0.decode(0, as: String.self)
        }
        #expect(errors == [stored])
        await bench.admin.close()
        try await admin.execute(script: "DROP DATABASE \"\(name)\" WITH (FORCE)")
        await admin.close()
    }

    @Test(arguments: ["-infinity", "0044-03-15 BC", "294276-12-31", "infinity"])
    func aTimeSetByHandStopsNobody(time: String) async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let relay = bench.relay([
            "d": .handler(retry: .constant(.seconds(3600), maximumAttempts: 2)) { message in
                deliveries.add(message)
                if message.attempt == 1 { throw DeliveryFailure.retry("later") }
            }, "other": .handler { deliveries.add($0) },
        ])
        try await bench.run(relay) {
            try await bench.sql("SELECT $outbox.enqueue('d', 'held')")
            try await eventually("it is deferred") { try await bench.deferredCount() == 1 }
            try await bench.sql("UPDATE $outbox.deferred SET next_attempt_at = '\(time)'")
            try await bench.sql("SELECT $outbox.enqueue('other', 'free')")
            try await eventually("others are delivered") { deliveries.texts.contains("free") }
            // Now at last.
            try await bench.sql("UPDATE $outbox.deferred SET next_attempt_at = now()")
            try await eventually("it is delivered") { try await bench.deferredCount() == 0 }
        }
        #expect(deliveries.texts.filter { $0 == "held" }.count == 2)
    }
}
