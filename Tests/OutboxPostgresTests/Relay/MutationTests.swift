import Outbox
import OutboxSQL
import OutboxTestServers
import TestSupport
import Testing

@testable import OutboxPostgres

/// The design broken on purpose: the tests that guard it have to notice.
@Suite(.schema, .timeLimit(.minutes(10))) struct MutationTests {
    /// Delivers messages of transactions that commit in another order than that of their ids, one of which has a number
    /// from the snapshot's xmax on when it is passed. On a server of its own, because every other transaction that ends
    /// moves xmax; and with a relay that commits nothing meanwhile, for the same reason.
    ///
    /// - Parameter alone: Whether the stream is read by itself, as one is that had a long payload; else together with others.
    private func deliverLate(
        alone: Bool, passing: String = "passes", _ change: (inout Statements) -> Void
    ) async throws -> [String] {
        try await EphemeralPostgres.with(.init(parameters: ["autovacuum": "off"])) { server in
            let bench = try await RelayBench.make(postgres: LibPQConfiguration(server.url))
            var statements = bench.schema.statements
            change(&statements)
            let store = PostgresStore(
                postgres: bench.postgres, schema: bench.schema, wakeup: .notify(fallback: nil), statements: statements,
                policy: nil)
            var settings = RelayBench.quick
            settings.commit.maximumDelay = .seconds(3600)
            let deliveries = Deliveries()
            let gate = Gate()
            let routes: RelayRoutes = [
                "d": .handler { deliveries.add($0) },
                "hold": .handler(parking: .never) { _ in await gate.enter() },
            ]
            let first = try await LibPQConnection.connect(bench.postgres)
            let second = try await LibPQConnection.connect(bench.postgres)
            try await bench.sql("SELECT $outbox.enqueue('hold', '')")
            if alone { try await bench.sql("SELECT $outbox.enqueue('d', repeat('x', 100000)::bytea)") }
            let before = alone ? 1 : 0
            try await bench.run(bench.relay(routes, settings: settings, store: store)) {
                await gate.waitUntilEntered()
                try await eventually("it sleeps") { try await bench.isAsleep() && deliveries.count == before }
                try await first.execute(script: bench.render("BEGIN; SELECT $outbox.enqueue('d', 'in xip')"))
                try await bench.sql("SELECT $outbox.enqueue('d', 'seen')")
                try await eventually("the first's id is passed") { deliveries.count == before + 1 }
                try await second.execute(script: bench.render("BEGIN; SELECT $outbox.enqueue('d', 'from xmax on')"))
                // An id above the second's, of a transaction whose number is below.
                try await first.execute(script: bench.render("SELECT $outbox.enqueue('d', 'passes'); COMMIT"))
                try await eventually("the second's id is passed") { deliveries.texts.contains(passing) }
                // Nothing has ended with a number above the second's: it is not in xip.
                try await second.execute(script: "COMMIT")
                try await eventually("it sleeps") { try await bench.isAsleep() }
                // With the next number, the last would be another one from xmax on.
                try await bench.sql("SELECT pg_current_xact_id()")
                try await bench.sql("SELECT $outbox.enqueue('d', 'last')")
                try await eventually("the last is delivered") { deliveries.texts.contains("last") }
                // Asleep means: polled after the last commit, and found nothing.
                try await eventually("it sleeps") { try await bench.isAsleep() }
                await gate.open()
            }
            return deliveries.texts.filter { $0.count < 100 }
        }
    }

    @Test(arguments: [true, false]) func lateMessagesAreDelivered(alone: Bool) async throws {
        let texts = try await self.deliverLate(alone: alone) { _ in }
        #expect(texts.sorted() == ["from xmax on", "in xip", "last", "passes", "seen"])
    }

    /// Puts another text for one that a statement has.
    private func replace(_ text: String, in statement: inout Statements.Statement, by other: String) {
        let original = statement.text
        statement.text = original.split(separator: text, omittingEmptySubsequences: false).joined(separator: other)
        #expect(statement.text != original)
    }

    @Test(arguments: [true, false]) func withoutXmaxALateMessageIsLost(alone: Bool) async throws {
        let texts = try await self.deliverLate(alone: alone) { statements in
            let bound = "xid >= pg_snapshot_xmax($1::pg_snapshot)"
            let above = "xid > pg_snapshot_xmax($1::pg_snapshot)"
            self.replace(bound, in: &statements.readLate, by: above)
            self.replace(bound, in: &statements.readNew, by: above)
            self.replace(bound, in: &statements.readNewRunning, by: above)
        }
        #expect(texts.sorted() == ["in xip", "last", "passes", "seen"], "else the test above proves nothing")
    }

    @Test(arguments: [true, false]) func withoutXipALateMessageIsLost(alone: Bool) async throws {
        // Read together, what such a transaction has is new by its number alone, whatever its id.
        let texts = try await self.deliverLate(alone: alone, passing: alone ? "passes" : "seen") { statements in
            self.replace("xid = ANY (", in: &statements.readLate, by: "false AND xid = ANY (")
            self.replace("xid = ANY (", in: &statements.readNewRunning, by: "false AND xid = ANY (")
        }
        let delivered = alone ? ["from xmax on", "last", "passes", "seen"] : ["from xmax on", "last", "seen"]
        #expect(texts.sorted() == delivered, "else the test above proves nothing")
    }

    /// A producer that decided not to ring commits while the relay goes to sleep.
    private func commitWhileFallingAsleep(
        _ bench: RelayBench, _ store: PostgresStore, expecting count: Int, when isReady: () async throws -> Bool
    ) async throws -> Int {
        let deliveries = Deliveries()
        let producer = try await LibPQConnection.connect(bench.postgres)
        try await producer.execute(script: bench.render("BEGIN; SELECT $outbox.enqueue('d', 'silent')"))
        let relay = bench.relay(["d": .handler { deliveries.add($0) }], store: store)
        return try await bench.run(relay) {
            try await eventually("the relay has found nothing and wants to sleep") { try await isReady() }
            try await producer.execute(script: "COMMIT")
            try await eventually("it sleeps") { try await bench.isAsleep() }
            // It has the bell, and its poll after that may still be on its way. No producer will ring: what that does not bring is lost.
            if count > 0 { try await eventually("its last poll has brought it") { deliveries.count >= count } }
            return deliveries.count
        }
    }

    @Test func aSleepingRelayHasDeliveredEverything() async throws {
        let bench = try await RelayBench.make()
        let delivered = try await self.commitWhileFallingAsleep(bench, bench.store, expecting: 1) {
            try await bench.ownerCount() == 1
        }
        #expect(delivered == 1)
    }

    @Test func withoutTheSecondPollAMessageIsLost() async throws {
        let bench = try await RelayBench.make()
        var policy = Doorbell.Policy()
        policy.pollsAfterArming = false
        let store = PostgresStore(
            postgres: bench.postgres, schema: bench.schema, wakeup: .notify(fallback: nil),
            statements: bench.schema.statements, policy: policy)
        let delivered = try await self.commitWhileFallingAsleep(bench, store, expecting: 0) {
            // Its last statement tried to take the bell, and was refused, because the producer is in flight.
            try await bench.count(
                """
                SELECT count(*) FROM pg_stat_activity JOIN pg_locks USING (pid)
                WHERE locktype = 'advisory' AND classid = '$outbox.message'::regclass::oid AND objid = 4294967295
                    AND query LIKE '%pg_try_advisory_lock($1, 0)%'
                """) == 1
        }
        #expect(delivered == 0, "if this is delivered, the test above proves nothing")
    }
}
