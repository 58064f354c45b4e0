import Foundation
import Outbox
import OutboxSQL
import Synchronization
import Testing

@testable import OutboxPostgres

/// The views for people and their tools: as exact as the status, and as cheap.
@Suite struct ViewTests {
    /// What one snapshot shows, in three ways. By destination and lowest slot.
    private struct Sample: Equatable {
        var status: [String: Int64] = [:]
        var lag: [String: Int64] = [:]
        var pending: [String: Int64] = [:]
    }

    private func sample(_ test: TestOutbox, on connection: Connection) async throws -> Sample {
        try await connection.withTransaction(isolation: .repeatableRead, readOnly: true) { transaction in
            func counts(_ statement: SQLStatement) async throws -> [String: Int64] {
                let rows = try await connection.query(statement)
                return try Dictionary(
                    uniqueKeysWithValues: rows.map { row in
                        (
                            "\(try row.decode("destination", as: String.self)) \(try row.decode("slot_low", as: Int.self))",
                            try row.decode("lag", as: Int64.self)
                        )
                    }
                ).filter { $0.value > 0 }
            }
            return Sample(
                status: try await counts(
                    SQLStatement(test.schema.inspectionStatements.streamStatus, [.text("main"), .int8(1_000_000)])),
                lag: try await counts(
                    "SELECT destination, slot_low, messages AS lag FROM \(unescaped: test.name).lag"),
                pending: try await counts(
                    """
                    SELECT pending.destination, stream.slot_low, count(*) AS lag
                    FROM \(unescaped: test.name).pending
                    JOIN \(unescaped: test.name).stream
                        ON stream.destination = pending.destination AND slot BETWEEN slot_low AND slot_high
                    GROUP BY 1, 2
                    """))
        }
    }

    private func pending(_ test: TestOutbox) async throws -> [Int64] {
        try await test.connection.query("SELECT id FROM \(unescaped: test.name).pending ORDER BY id")
            .map { row in try row.decode(0) }
    }

    @Test func pendingIsWhatIsBehindTheCursorAndWhatIsLate() async throws {
        try await withTestOutbox(prefix: "it's \"pending\"") { test in
            let outbox = PostgresOutbox(schema: test.schema)
            let writer = try await test.connect()
            let transaction = try await writer.begin()
            try await outbox.enqueue((0..<4).map { _ in NewMessage(to: "here", text: "late") }, in: transaction)
            let message = NewMessage(to: "here", route: "r", key: "k", deliverAt: .distantFuture, text: "secret")
            try await test.connection.withTransaction { transaction in
                _ = try await outbox.enqueue(
                    [NewMessage(to: "here", text: ""), message, NewMessage(to: "nowhere", text: "")], in: transaction)
            }
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).stream (destination, snapshot, position, horizon)
                    VALUES ('here', pg_current_snapshot(), 5, pg_current_xact_id())
                    """)
            #expect(try await self.pending(test) == [6])
            try await transaction.commit()
            #expect(try await self.pending(test) == [1, 2, 3, 4, 6])
            // Half of what is late has been paged through.
            try await test.connection.execute(
                script: "UPDATE \(test.name).stream SET catchup_snapshot = pg_current_snapshot(), catchup_position = 2")
            #expect(try await self.pending(test) == [3, 4, 6])
            let row = try await test.connection.query(
                "SELECT * FROM \(unescaped: test.name).pending WHERE id = 6")[0]
            #expect(try row.decode("subscription", as: String.self) == "main")
            #expect(try row.decode("destination", as: String.self) == "here")
            #expect(try row.decode("route", as: String?.self) == "r")
            #expect(try row.decode("key", as: String?.self) == "k")
            let payload = try await test.value(
                """
                SELECT convert_from(payload, 'UTF8')
                FROM \(test.name).pending JOIN \(test.name).message USING (destination, id) WHERE id = 6
                """, as: String.self)
            #expect(payload == "secret")
            let sample = try await self.sample(test, on: test.connection)
            #expect(sample.lag == ["here 0": 3] && sample.status == sample.lag && sample.pending == sample.lag)
            await writer.close()
        }
    }

    @Test func lagIsInSecondsToo() async throws {
        try await withTestOutbox { test in
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).message (destination, payload, created_at) VALUES
                        ('hour', '', now() - interval '1 hour'), ('hour', '', now()),
                        ('never', '', 'infinity'), ('ahead', '', now() + interval '1 hour');
                    INSERT INTO \(test.name).stream (destination, snapshot, position, horizon)
                    SELECT destination, pg_current_snapshot(), 0, pg_current_xact_id()
                    FROM unnest('{hour,never,ahead,none}'::text[]) AS destination
                    """)
            let lag = try await test.connection.query(
                "SELECT destination, messages, seconds::bigint FROM \(unescaped: test.name).lag ORDER BY 1")
            #expect(try lag.map { try $0.decode(0, as: String.self) } == ["ahead", "hour", "never", "none"])
            #expect(try lag.map { try $0.decode(1, as: Int64.self) } == [1, 2, 1, 0])
            let seconds = try lag.map { try $0.decode(2, as: Int64.self) }
            #expect(seconds[0] == 0 && (3600..<7200).contains(seconds[1]) && seconds[2] == 0 && seconds[3] == 0)
        }
    }

    /// In every snapshot the views say what the status says, whatever a relay and transactions that end late are at.
    @Test func theViewsAgreeWithTheStatusUnderARelay() async throws {
        try await withTestOutbox { test in
            let (count, writers) = (20, 2)
            let delivered = Atomic(0)
            let relay = try await Relay(
                postgres: test.configuration(), outbox: test.schema,
                routes: [
                    "a": .handler { _ in delivered.add(1, ordering: .relaxed) },
                    "b": .handler { _ in delivered.add(1, ordering: .relaxed) },
                ])
            let observer = try await test.connect()
            // What is compiled takes longer than what is read.
            try await observer.query("SET jit = off")
            var samples = 0
            var seen = 0
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await relay.run() }
                for writer in 0..<writers {
                    group.addTask { try await Self.write(count, test, writer) }
                }
                let deadline = ContinuousClock.now + .seconds(300)
                while delivered.load(ordering: .relaxed) < writers * count * 20, ContinuousClock.now < deadline {
                    let sample = try await self.sample(test, on: observer)
                    #expect(sample.lag == sample.status)
                    #expect(sample.pending == sample.status)
                    samples += 1
                    if !sample.status.isEmpty { seen += 1 }
                }
                relay.stop()
                try await group.waitForAll()
            }
            #expect(delivered.load(ordering: .relaxed) == writers * count * 20)
            #expect(samples > 0 && seen > 0)
            let last = try await self.sample(test, on: observer)
            #expect(last == Sample())
            await observer.close()
        }
    }

    /// Transactions that overlap: each ends after the next one has.
    private static func write(_ count: Int, _ test: TestOutbox, _ writer: Int) async throws {
        let outbox = PostgresOutbox(schema: test.schema)
        let (early, late) = (try await test.connect(), try await test.connect())
        for number in 0..<count {
            let messages = (0..<10).map {
                NewMessage(to: $0 % 2 == 0 ? "a" : "b", key: "\($0)", text: "\(writer) \(number)")
            }
            let transaction = try await late.begin()
            try await outbox.enqueue(messages, in: transaction)
            try await early.withTransaction { transaction in
                _ = try await outbox.enqueue(messages, in: transaction)
            }
            // So that the relay may pass the first one's numbers.
            for _ in 0..<3 { try await early.query("SELECT 1") }
            try await transaction.commit()
        }
        await early.close()
        await late.close()
    }

    // MARK: - Cost

    enum Log: CaseIterable {
        case neverAnalysed, analysedEmpty, full
    }

    /// 20,000 messages of three destinations; a stream that has handled most of one, and two messages late for it.
    private func fill(_ test: TestOutbox, _ log: Log) async throws {
        if log == .analysedEmpty { try await test.connection.execute(script: "ANALYZE \(test.name).message") }
        let writer = try await test.connect()
        let transaction = try await writer.begin()
        try await writer.query(
            """
            INSERT INTO \(unescaped: test.name).message (destination, payload)
            SELECT 'd0', '' FROM generate_series(1, 2)
            """)
        try await test.connection.execute(
            script: """
                INSERT INTO \(test.name).message (destination, payload)
                SELECT 'd' || number % 3, convert_to(repeat('x', 200), 'UTF8')
                FROM generate_series(3, 20000) AS number;
                INSERT INTO \(test.name).stream (destination, snapshot, position, horizon)
                VALUES ('d0', pg_current_snapshot(), 19700, pg_current_xact_id())
                """)
        try await transaction.commit()
        await writer.close()
        if log == .full { try await test.connection.execute(script: "VACUUM ANALYZE \(test.name).message") }
    }

    /// Scans and rows of the log that a query has read, in this transaction.
    private func reads(_ test: TestOutbox, of query: String) async throws -> (sequential: Int64, rows: Int64) {
        try await test.connection.withTransaction { transaction in
            let statement: SQLStatement = """
                SELECT sum(seq_scan)::bigint, sum(seq_tup_read + idx_tup_fetch)::bigint
                FROM pg_stat_xact_user_tables
                WHERE schemaname = \(test.schema.name) AND relname LIKE 'message%'
                """
            let before = try await transaction.query(statement)[0].int64s
            _ = try await transaction.query(SQLStatement(query))
            let after = try await transaction.query(statement)[0].int64s
            return (after[0] - before[0], after[1] - before[1])
        }
    }

    @Test(arguments: Log.allCases)
    func lagReadsNothingButIndexes(log: Log) async throws {
        try await withTestOutbox { test in
            try await self.fill(test, log)
            let lag = try await test.value("SELECT messages FROM \(test.name).lag", as: Int64.self)
            #expect(lag == 102)
            let reads = try await self.reads(test, of: "SELECT * FROM \(test.name).lag")
            #expect(reads.sequential == 0)
            // What waits, the oldest of it once more, and what is late.
            #expect(reads.rows <= 102 + 2)
        }
    }

    @Test(arguments: Log.allCases)
    func pendingReadsWhatWaits(log: Log) async throws {
        try await withTestOutbox { test in
            try await self.fill(test, log)
            for (query, rows) in [
                ("SELECT count(*) FROM $", 400), ("SELECT * FROM $ WHERE destination = 'd0'", 400),
                ("SELECT * FROM $ WHERE id = 19999", 10), ("SELECT * FROM $ WHERE destination = 'd1'", 0),
            ] {
                let query = query.replacing("$", with: "\(test.name).pending")
                let reads = try await self.reads(test, of: query)
                // Empty partitions may be looked through, which reads nothing.
                #expect(reads.rows <= rows, "\(query): \(reads)")
            }
        }
    }

    // MARK: - Roles

    @Test func aMonitorSeesTheViewsAndNeitherPayloadNorHeaders() async throws {
        try await withTestOutbox(prefix: "it's \"watched\"") { test in
            try await self.fill(test, .full)
            try await test.withRole { role in
                let connection = try await test.connect(as: role)
                func query(_ text: String) async throws -> QueryResult {
                    try await connection.query(SQLStatement(text.replacing("$", with: test.name)))
                }
                let before = await #expect(throws: PostgresError.self) { try await query("TABLE $.lag") }
                #expect(before?.sqlState == "42501")
                try await test.connection.execute(script: test.schema.grants(monitor: role))
                #expect(try await query("SELECT messages FROM $.lag")[0].decode(0, as: Int64.self) == 102)
                #expect(try await query("TABLE $.pending").rowCount == 102)
                for statement in [
                    "SELECT payload FROM $.message", "SELECT headers FROM $.message", "TABLE $.message_0",
                    "TABLE $.message", "SELECT route FROM $.message", "TABLE $.deferred", "TABLE $.dead_letter",
                    "SELECT last_error FROM $.dead_letter", "UPDATE $.stream SET paused_at = now()",
                    "TABLE $.idempotency", "DELETE FROM $.pending",
                    "UPDATE $.lag SET messages = 0",
                    "SELECT $.enqueue('there', 'text')", "SELECT $.enqueue('there', 'text', idempotency_key => 'a')",
                ] {
                    let error = await #expect(throws: PostgresError.self, "\(statement)") { try await query(statement) }
                    // 55000: a view that cannot be changed by anybody.
                    #expect(["42501", "55000"].contains(error?.sqlState), "\(statement): \(error.debugDescription)")
                }
                let columns = try await query("SELECT * FROM $.pending LIMIT 1").columnNames
                #expect(!columns.contains("payload") && !columns.contains("headers"))
                await connection.close()
            }
        }
    }

    /// The function behind lag runs with its owner's rights, so nothing that the caller chooses may have a say in it.
    @Test func lagDoesNotDependOnTheCallersNames() async throws {
        try await withTestOutbox { test in
            try await self.fill(test, .full)
            try await test.withRole { role in
                try await test.connection.execute(script: test.schema.grants(monitor: role))
                let connection = try await test.connect(as: role)
                try await connection.execute(
                    script: """
                        CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz';
                        CREATE TEMPORARY TABLE stream (); CREATE TEMPORARY TABLE message ();
                        SET search_path = pg_temp, pg_catalog
                        """)
                let lag = try await connection.query("SELECT messages FROM \(unescaped: test.name).lag")
                #expect(try lag[0].decode(0, as: Int64.self) == 102)
                await connection.close()
            }
        }
    }
}
