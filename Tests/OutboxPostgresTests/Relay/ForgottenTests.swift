import Foundation
import Logging
import Outbox
import OutboxRuntime
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// What a relay was asked for, or has begun, and must not forget because something else comes in between.
@Suite(.schema, .timeLimit(.minutes(3))) struct ForgottenTests {
    private struct Refused: Error {}

    private let again = BackoffRetryStrategy.constant(.milliseconds(20), maximumAttempts: 1_000_000)

    /// It rings with no notification, so only the fallback poll finds it.
    private static let silently = """
        BEGIN; SET LOCAL outbox.doorbell = 'off'; SELECT $outbox.enqueue('b', 'silent'); COMMIT
        """

    /// Another session keeps the first message of a key's queue locked, and lets go of it without a change, of which nothing tells.
    /// Once when the relay begins, and once when others change deferred messages of another key.
    @Test(arguments: [true, false]) func aQueueWhoseFirstMessageWasLocked(whenItBegins: Bool) async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        func queue(_ id: Int, _ key: String) -> String {
            """
            INSERT INTO $outbox.deferred (id, created_at, destination, key, payload, ordered, next_attempt_at)
            VALUES (\(id), now(), 'd', '\(key)', '\(key)', true, 'infinity')
            """
        }
        let locker = try await LibPQConnection.connect(bench.postgres)
        func lock() async throws {
            try await locker.execute(
                script: bench.render("BEGIN; SELECT FROM $outbox.deferred WHERE key = 'locked' FOR UPDATE"))
        }
        // As one that has inserted without triggers: a rule of replication, or a restore.
        let silently = "BEGIN; SET LOCAL outbox.relay = 'on'; \(queue(1, "locked")); COMMIT"
        if whenItBegins {
            try await bench.script(silently)
            try await lock()
        }
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }])) {
            try await eventually("it sleeps") { try await bench.isAsleep() }
            if !whenItBegins {
                try await bench.script(silently)
                try await lock()
                try await bench.script(queue(2, "other"))
                try await eventually("the queue of the other key is promoted") { deliveries.texts == ["other"] }
            }
            #expect(!deliveries.texts.contains("locked"))
            try await locker.execute(script: "ROLLBACK")
            try await eventually("the queue is promoted") { deliveries.texts.contains("locked") }
            try await eventually("and settled") { try await bench.deferredCount() == 0 }
        }
        await locker.close()
    }

    /// Retries wake the relay more often than the fallback poll is due.
    @Test func theFallbackPollIsNotPostponedByRetriesOfAnotherDestination() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let attempts = Atomic(0)
        let store = PostgresStore(
            postgres: bench.postgres, schema: bench.schema, wakeup: .notify(fallback: .milliseconds(400)))
        let relay = bench.relay(
            [
                "a": .handler(retry: self.again, breaker: .off) { _ in
                    attempts.add(1, ordering: .relaxed)
                    throw Refused()
                },
                "b": .handler { deliveries.add($0) },
            ], store: store)
        try await bench.run(relay) {
            try await bench.sql("SELECT $outbox.enqueue('a', 'fails')")
            try await eventually("it is retried while the relay sleeps") {
                try await bench.isAsleep() && attempts.load(ordering: .relaxed) > 5
            }
            try await bench.script(Self.silently)
            try await eventually("the fallback poll finds it") { deliveries.count == 1 }
        }
    }

    /// As `outbox doctor` does, which rings to hear itself.
    @Test func theFallbackPollIsNotPostponedByProbes() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let store = PostgresStore(
            postgres: bench.postgres, schema: bench.schema, wakeup: .notify(fallback: .milliseconds(400)))
        let oid = try await bench.count("SELECT '$outbox.message'::regclass::oid::bigint")
        try await bench.run(bench.relay(["b": .handler { deliveries.add($0) }], store: store)) {
            try await eventually("it sleeps") { try await bench.isAsleep() }
            try await bench.script(Self.silently)
            try await eventually("the fallback poll finds it") {
                try await bench.sql("SELECT pg_notify('outbox_\(oid)', '\(PostgresSession.Word.probe)')")
                return deliveries.count == 1
            }
        }
    }

    /// The session returns at once when it hears that a stream was changed, and has not looked yet at what is due of another.
    @Test func whatIsDueIsAskedForAgainAfterAChangeOfAnotherStream() async throws {
        let bench = try await RelayBench.make()
        let session = try #require(
            try await bench.store.openSession(subscription: "main", logger: Logger(label: "outbox.test"))
                as? PostgresSession)
        let streams = try await session.attach(["a", "b"])
        let a = try #require(streams.first { $0.destination == "a" }).id
        try await bench.script(
            """
            INSERT INTO $outbox.deferred (id, created_at, destination, payload) VALUES (1, now(), 'a', 'due');
            UPDATE $outbox.stream SET paused_at = now() WHERE destination = 'b'
            """)
        let request = ReadRequest(stream: a, messages: 0, bytes: 1000, deferred: true)
        var looked = false
        for _ in 1...10 where !looked {
            let result = try await session.read([request], until: .now)
            looked = !result.pages.isEmpty
            // Either the messages, or no word of having looked.
            #expect(looked || result.nextDue[a] == nil)
        }
        #expect(looked)
        // Of a paused one, nothing is due until it is resumed.
        let b = try #require(streams.first { $0.destination == "b" }).id
        let paused = try await session.read(
            [ReadRequest(stream: b, messages: 0, bytes: 1000, deferred: true)], until: .now)
        #expect(paused.pages.isEmpty && paused.nextDue[b] == .some(nil))
        await session.close()
    }

    /// While another stream is drained, pages are read ahead, and what is due is read in between.
    @Test func whatIsDueOfAPausedStreamIsNotReadBetweenPagesOfAnother() async throws {
        let bench = try await RelayBench.make()
        let calls = Atomic(0)
        let deliveries = Deliveries()
        try await bench.script(
            """
            INSERT INTO $outbox.stream (destination, snapshot, position, horizon, paused_at)
            VALUES ('a', pg_current_snapshot(), 0, pg_current_xact_id(), now());
            INSERT INTO $outbox.deferred (id, created_at, destination, payload)
            SELECT -i, now(), 'a', 'x' FROM generate_series(1, 8) AS i;
            INSERT INTO $outbox.message (destination, payload) SELECT 'b', 'x' FROM generate_series(1, 4000)
            """)
        var settings = RelayBench.quick
        settings.page.messages = 10
        settings.window.messages = 100
        let relay = bench.relay(
            [
                "a": .handler { _ in calls.add(1, ordering: .relaxed) },
                "b": .handler { deliveries.add($0) },
            ], settings: settings)
        try await bench.run(relay) {
            try await eventually("the other one is drained") {
                // It is told that something has changed, and looks.
                try await bench.sql("UPDATE $outbox.deferred SET attempts = attempts WHERE id = -1")
                return deliveries.count == 4000
            }
            #expect(calls.load(ordering: .relaxed) == 0)
            try await bench.sql("UPDATE $outbox.stream SET paused_at = NULL WHERE destination = 'a'")
            try await eventually("what waited is delivered") { calls.load(ordering: .relaxed) == 8 }
        }
    }

    /// A late part is paged through with the snapshot of its first page. What commits later is none of it, also for the relay that
    /// goes on with it.
    @Test func whatCommitsAfterALatePartHasBegunIsDeliveredOnceAfterATakeover() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let gate = Latch()
        var settings = RelayBench.quick
        settings.page.messages = 10
        settings.window.messages = 20
        let routes: RelayRoutes = [
            "d": .handler(concurrency: 1) { message in
                deliveries.add(message)
                if deliveries.count == 15 { await gate.wait() }
            }
        ]
        let first = try await LibPQConnection.connect(bench.postgres)
        let second = try await LibPQConnection.connect(bench.postgres)
        let relay = bench.relay(routes, settings: settings)
        try await bench.run(relay) {
            try await first.execute(
                script: bench.render(
                    """
                    BEGIN; INSERT INTO $outbox.message (destination, payload, key)
                    SELECT 'd', convert_to('a' || i, 'UTF8'), 'k' || i % 7 FROM generate_series(1, 60) AS i
                    """))
            try await second.execute(script: bench.render("BEGIN; SELECT $outbox.enqueue('d', 'b', key => 'k0')"))
            try await bench.sql("SELECT $outbox.enqueue('d', 'c')")
            try await eventually("the cursor has passed them") {
                try await bench.count("SELECT count(*) FROM $outbox.stream WHERE position = 62") == 1
            }
            try await first.execute(script: "COMMIT")
            try await eventually("the late part is being delivered") { deliveries.count == 15 }
            relay.stop()
            gate.open()
        }
        #expect(try await bench.count("SELECT count(*) FROM $outbox.stream WHERE catchup_position > 0") == 1)
        try await second.execute(script: "COMMIT")
        try await bench.run(bench.relay(routes, settings: settings)) {
            try await eventually("all is delivered") { try await bench.pendingCount() == 0 }
        }
        #expect(deliveries.count == 62)
        #expect(Set(deliveries.all.map(\.id)).count == 62)
    }
}
