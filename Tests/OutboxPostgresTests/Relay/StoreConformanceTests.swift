import Foundation
import Outbox
@testable import OutboxPostgres
import OutboxTesting
import Testing

@Suite("Store conformance: Postgres", .schema, .timeLimit(.minutes(10))) struct PostgresStoreConformanceTests {
    @Test(arguments: StoreConformance.checks) func passes(_ check: StoreConformance.Check) async throws {
        try await check.run(PostgresFixture(bench: RelayBench.make()))
    }
}

/// An outbox on the shared server, for the checks that every store passes.
struct PostgresFixture: StoreFixture {
    let bench: RelayBench
    private let outbox: PostgresOutbox

    init(bench: RelayBench) {
        self.bench = bench
        self.outbox = PostgresOutbox(schema: bench.schema)
    }

    var store: any RelayStore { self.bench.store }
    var patience: Duration { .seconds(120) }
    var rounds: Int { 200 }

    func enqueue(_ messages: [NewMessage]) async throws -> [Int64] {
        let outbox = self.outbox
        return try await self.bench.admin.withTransaction { transaction in
            try await outbox.enqueue(messages, in: transaction)
        }
    }

    func begin() async throws -> any FixtureTransaction {
        let connection = try await LibPQConnection.connect(self.bench.postgres)
        try await connection.execute(script: "BEGIN")
        return OpenTransaction(connection: connection, outbox: self.outbox)
    }

    func deferred() async throws -> [DeferredSnapshot] {
        let rows = try await self.bench.sql(
            """
            SELECT id, attempts, nullif(next_attempt_at, 'infinity'), ordered, last_error
            FROM $outbox.deferred ORDER BY id
            """)
        return try rows.map { row in
            DeferredSnapshot(
                id: try row.decode(0), attempts: Int(try row.decode(1, as: Int32.self)),
                nextAttemptAt: try row.decode(2, as: Date?.self), isOrdered: try row.decode(3), error: try row.decode(4))
        }
    }

    func deadLetters() async throws -> [DeadLetterSnapshot] {
        let rows = try await self.bench.sql(
            "SELECT id, attempts, reason, last_error FROM $outbox.dead_letter ORDER BY id")
        return try rows.map { row in
            DeadLetterSnapshot(
                id: try row.decode(0), attempts: Int(try row.decode(1, as: Int32.self)),
                reason: try #require(Death.Reason(rawValue: try row.decode(2))), error: try row.decode(3))
        }
    }

    func makeDue() async throws {
        try await self.bench.sql(
            "UPDATE $outbox.deferred SET next_attempt_at = now() - interval '1 ms' WHERE next_attempt_at < 'infinity'")
    }

    func replay(deadLetter id: Int64) async throws {
        try await self.bench.sql(
            """
            WITH gone AS (DELETE FROM $outbox.dead_letter WHERE id = $1 RETURNING *)
            INSERT INTO $outbox.deferred (
                subscription, id, created_at, deliver_at, destination, route, key, headers, options, payload)
            SELECT subscription, id, created_at, deliver_at, destination, route, key, headers, options, payload
            FROM gone
            """, [.int8(id)])
    }

    func split(_ destination: Destination) async throws {
        try await self.bench.sql(
            """
            WITH whole AS (
                SELECT * FROM $outbox.stream WHERE destination = $1 AND subscription = 'main'
                ORDER BY slot_high - slot_low DESC, slot_low LIMIT 1 FOR UPDATE
            ),
            lower AS (
                UPDATE $outbox.stream SET slot_high = (whole.slot_low + whole.slot_high) / 2
                FROM whole WHERE stream.id = whole.id
            )
            INSERT INTO $outbox.stream (
                destination, slot_low, slot_high, snapshot, position, horizon, catchup_snapshot, catchup_position, paused_at)
            SELECT destination, (slot_low + slot_high) / 2 + 1, slot_high, snapshot, position, horizon, catchup_snapshot,
                catchup_position, paused_at
            FROM whole
            """, [.text(destination.name)])
    }

    func cutSessions() async throws { try await self.bench.terminateOwner() }
}

private struct OpenTransaction: FixtureTransaction {
    let connection: LibPQConnection
    let outbox: PostgresOutbox

    func enqueue(_ messages: [NewMessage]) async throws -> [Int64] {
        let result = try await self.connection.query(self.outbox.statement(for: messages))
        return try result.map { row in try row.decode(0) }
    }

    func commit() async throws { try await self.connection.execute(script: "COMMIT") }

    func rollback() async throws { try await self.connection.execute(script: "ROLLBACK") }
}
