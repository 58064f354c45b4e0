import Outbox
import OutboxTestServers
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// What a relay costs the server, in exact counts. On a server of its own, so that its statistics are of this test alone.
@Suite(.schema, .timeLimit(.minutes(10))) struct CostTests {
    struct Cost {
        var rowsWritten = 0
        var walBytes = 0
        var statements = 0
    }

    /// What delivering some messages costs, from the relay's start to its end.
    private func cost(of count: Int, _ fill: String) async throws -> Cost {
        try await EphemeralPostgres.with(
            .init(parameters: ["autovacuum": "off", "shared_preload_libraries": "pg_stat_statements", "fsync": "off"])
        ) { server in
            let bench = try await RelayBench.make(postgres: LibPQConfiguration(server.url))
            // A backend flushes its statistics when it ends, so that those of filling the log are there before they are reset.
            let producer = try await LibPQConnection.connect(bench.postgres)
            try await producer.execute(script: bench.render(fill))
            await producer.close()
            try await self.isAlone(bench)
            try await bench.script("VACUUM ANALYZE; ")
            try await bench.script("CREATE EXTENSION pg_stat_statements; CHECKPOINT")
            let delivered = Atomic(0)
            try await bench.script("SELECT pg_stat_reset(); SELECT pg_stat_statements_reset()")
            let before = try await self.position(bench)
            var settings = RelaySettings()
            settings.standbyInterval = .milliseconds(20)
            try await bench.run(
                bench.relay(["d": .handler { _ in delivered.add(1, ordering: .relaxed) }], settings: settings)
            ) {
                try await eventually("all are delivered") { delivered.load(ordering: .relaxed) >= count }
            }
            try await self.isAlone(bench)
            var cost = Cost()
            cost.walBytes = try await self.position(bench) - before
            cost.rowsWritten = try await bench.count(
                "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_user_tables")
            cost.statements = try await bench.count(
                """
                SELECT sum(calls)::bigint FROM pg_stat_statements
                WHERE query NOT LIKE '%pg_stat%' AND query NOT LIKE '%pg_current_wal%' AND query NOT LIKE '%pg_locks%'
                """)
            #expect(delivered.load(ordering: .relaxed) == count)
            #expect(try await bench.pendingCount() == 0)
            return cost
        }
    }

    private func isAlone(_ bench: RelayBench) async throws {
        try await eventually("all other sessions have ended") {
            try await bench.count("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'") == 1
        }
    }

    private func position(_ bench: RelayBench) async throws -> Int {
        try await bench.count("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint")
    }

    @Test func aHundredThousandMessagesCostAlmostNothing() async throws {
        let cost = try await self.cost(
            of: 100_000,
            """
            INSERT INTO $outbox.message (destination, payload, key)
            SELECT 'd', convert_to(repeat('x', 200), 'UTF8'), 'k' || i % 1000 FROM generate_series(1, 100000) AS i
            """)
        #expect(cost.rowsWritten <= 200)
        #expect(cost.walBytes <= 1_000_000)
        // Five per page of 1000 and one per commit.
        #expect(cost.statements <= 800)
        print(
            "100,000 delivered: \(cost.rowsWritten) rows, \(cost.walBytes) bytes of WAL, \(cost.statements) statements")
    }

    /// Messages that come one by one, to a relay that sleeps: one look that brings it, one that comes with the bell, one commit.
    @Test func aMessageByItselfCostsThreeRoundTrips() async throws {
        try await EphemeralPostgres.with(
            .init(parameters: ["autovacuum": "off", "shared_preload_libraries": "pg_stat_statements", "fsync": "off"])
        ) { server in
            let bench = try await RelayBench.make(postgres: LibPQConfiguration(server.url))
            try await bench.script("CREATE EXTENSION pg_stat_statements")
            var policy = Doorbell.Policy()
            // However fast this test is.
            (policy.farApart, policy.nearApart) = (.zero, .zero)
            let store = PostgresStore(
                postgres: bench.postgres, schema: bench.schema, wakeup: .notify(fallback: nil),
                statements: bench.schema.statements, policy: policy)
            let delivered = Atomic(0)
            let routes: RelayRoutes = [
                "d": .handler { _ in delivered.add(1, ordering: .relaxed) }, "e": .handler { _ in },
                "f": .handler { _ in },
            ]
            try await bench.run(bench.relay(routes, store: store)) {
                func deliver(_ count: Int) async throws {
                    let before = delivered.load(ordering: .relaxed)
                    for number in 1...count {
                        try await bench.sql("SELECT $outbox.enqueue('d', '')")
                        try await eventually("it is delivered and committed, and the relay sleeps") {
                            let isCommitted = try await bench.pendingCount() == 0
                            let isAsleep = try await bench.isAsleep()
                            return delivered.load(ordering: .relaxed) == before + number && isCommitted && isAsleep
                        }
                    }
                }
                try await deliver(3)
                try await bench.script("SELECT pg_stat_statements_reset()")
                try await deliver(20)
            }
            func calls(_ condition: String) async throws -> Int {
                try await bench.count(
                    "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements WHERE \(condition)")
            }
            let polls = try await calls("query LIKE '%destination NULLS FIRST%'")
            let commits = try await calls("query LIKE '%by_place AS (%'")
            let alone = try await calls(
                "query LIKE '%pg_snapshot_xip%' AND query LIKE '%UNION ALL%' AND query NOT LIKE '%, destination%'")
            let transactions = try await calls("query LIKE 'BEGIN%REPEATABLE READ%'")
            #expect((40...44).contains(polls), "two for each")
            #expect((20...22).contains(commits), "one for each")
            #expect(alone == 0)
            #expect(transactions <= 2, "a poll is one statement")
        }
    }
}
