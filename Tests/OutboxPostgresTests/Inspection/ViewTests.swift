import Foundation
import Outbox
import OutboxSQL
import Synchronization
import Testing

@testable import OutboxPostgres

/// The views for people and their tools: as exact as the status, and as cheap.
@Suite(.timeLimit(.minutes(10))) struct ViewTests {
    /// What one snapshot shows, in three ways. By destination and lowest slot.
    private struct Sample: Equatable {
        var status: [String: Int64] = [:]
        var lag: [String: Int64] = [:]
        var pending: [String: Int64] = [:]
    }

    private func sample(_ test: TestOutbox, on connection: LibPQConnection) async throws -> Sample {
        try await connection.withTransaction(isolation: .repeatableRead, readOnly: true) { transaction in
            func counts(_ statement: LibPQStatement) async throws -> [String: Int64] {
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
                    LibPQStatement(
                        test.schema.inspectionStatements.streamStatus, [.text("main"), .int8(1_000_000), .null])),
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

    // MARK: - What a cursor has overlooked

    /// Messages with ids that were passed came after the cursor was stored: they wait, until a session begins that reads them.
    ///
    /// - Parameters:
    ///   - passed: How many messages of the destination have ids that were passed.
    ///   - since: How many messages came since, of all destinations. By both it is decided how to look for them.
    @Test(arguments: [(10, 20), (10, 11_000), (200, 20), (200, 11_000)], ["restarted", "overtaken", "by hand"])
    func whatCameWithAPassedIDWaits(counts: (passed: Int, since: Int), how: String) async throws {
        let (passed, since) = counts
        try await withTestOutbox { test in
            let fill = """
                INSERT INTO \(test.name).message (destination, key, payload)
                SELECT CASE WHEN number % 2 = 0 THEN 'd' ELSE 'e' END, 'k' || number % 50, '' FROM generate_series(1, $) AS number
                """
            try await test.connection.execute(script: fill.replacing("$", with: "\(2 * passed)"))
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).stream (destination, slot_low, slot_high, snapshot, position, horizon)
                    SELECT 'd', low, low + 511, pg_current_snapshot(), \(2 * passed), pg_current_xact_id()
                    FROM unnest('{0,512}'::smallint[]) AS low
                    """)
            #expect(try await self.sample(test, on: test.connection) == Sample())
            switch how {
            case "restarted":
                try await test.connection.execute(script: "TRUNCATE \(test.name).message RESTART IDENTITY")
                try await test.connection.execute(
                    script: fill.replacing("'d' ELSE 'e'", with: "'d' ELSE 'd'").replacing("$", with: "\(passed)"))
                // What came with a dump from a server that was further on is not of this one.
                try await test.connection.execute(
                    script: """
                        INSERT INTO \(test.name).message (xid, id, destination, payload) OVERRIDING SYSTEM VALUE
                        SELECT '9000000000', number, 'd', '' FROM generate_series(1, \(passed)) AS number
                        """)
            case "overtaken":
                try await test.connection.execute(script: "ALTER TABLE \(test.name).message ALTER id RESTART")
            default:
                try await test.connection.execute(
                    script: """
                        INSERT INTO \(test.name).message (id, destination, key, payload) OVERRIDING SYSTEM VALUE
                        SELECT number, 'd', 'k' || number, '' FROM generate_series(1, 7) AS number
                        """)
            }
            try await test.connection.execute(script: fill.replacing("$", with: "\(since)"))
            // Every message that came after the cursor.
            let expected = try await test.connection.query(
                """
                SELECT stream.slot_low::integer, count(*)
                FROM \(unescaped: test.name).stream JOIN \(unescaped: test.name).message USING (destination)
                WHERE xid >= horizon AND xid < '9000000000'
                    AND \(unescaped: test.name).slot(key, message.id) BETWEEN slot_low AND slot_high
                GROUP BY 1
                """)
            let waiting = Dictionary(
                uniqueKeysWithValues: try expected.map { row in
                    ("d \(try row.decode(0, as: Int32.self))", try row.decode(1, as: Int64.self))
                })
            #expect(waiting.count == 2)
            let sample = try await self.sample(test, on: test.connection)
            #expect(sample == Sample(status: waiting, lag: waiting, pending: waiting))
            // The oldest of them says how long they wait.
            try await test.connection.execute(
                script: """
                    UPDATE \(test.name).message SET created_at = now() - interval '1 hour'
                    WHERE destination = 'd' AND xid >= (SELECT min(horizon::text)::xid8 FROM \(test.name).stream)
                        AND id <= \(2 * passed)
                    """)
            let seconds = try await test.value(
                "SELECT min(seconds)::bigint FROM \(test.name).lag", as: Int64.self)
            #expect(seconds >= 3600)
            let status = try await OutboxInspector(schema: test.schema).status(on: test.connection)
            #expect(status.streams.allSatisfy { ($0.lagTime ?? .zero) >= .seconds(3600) })
        }
    }

    /// The cursor is one of a server that was further on: what has this server's numbers may be new, and is read again.
    @Test(arguments: [10, 200])
    func whatACursorOfAnotherServerHasPassedMayWait(passed: Int) async throws {
        try await withTestOutbox { test in
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).message (xid, id, destination, payload) OVERRIDING SYSTEM VALUE
                    SELECT '4000000000', number, 'd', '' FROM generate_series(1, \(passed)) AS number;
                    INSERT INTO \(test.name).message (destination, payload) VALUES ('d', ''), ('d', ''), ('e', '');
                    INSERT INTO \(test.name).stream (destination, snapshot, position, horizon)
                    VALUES ('d', '5000000000:5000000000:', \(passed), '5000000001')
                    """)
            let sample = try await self.sample(test, on: test.connection)
            #expect(sample == Sample(status: ["d 0": 2], lag: ["d 0": 2], pending: ["d 0": 2]))
        }
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
                FROM generate_series(3, 20000) AS number
                """)
        try await test.connection.execute(
            script: """
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
            let statement: LibPQStatement = """
                SELECT sum(seq_scan)::bigint, sum(seq_tup_read + idx_tup_fetch)::bigint
                FROM pg_stat_xact_user_tables
                WHERE schemaname = \(test.schema.name) AND relname LIKE 'message%'
                """
            let before = try await transaction.query(statement)[0].int64s
            _ = try await transaction.query(LibPQStatement(query))
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

    /// Entries of the log's indexes that a query has read, in this transaction.
    private func entries(_ test: TestOutbox, of statement: LibPQStatement, settings: Bool) async throws -> Int64 {
        try await test.connection.withTransaction { transaction in
            let read: LibPQStatement = """
                SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid) + seq.rows)::bigint
                FROM pg_index
                JOIN pg_class ON pg_class.oid = indrelid
                CROSS JOIN LATERAL (SELECT pg_stat_get_xact_tuples_returned(indrelid) AS rows) AS seq
                WHERE relnamespace = \(test.schema.identifier)::regnamespace AND relname LIKE 'message%'
                """
            if settings { try await transaction.query(LibPQStatement(test.schema.inspectionStatements.configure)) }
            let before = try await transaction.query(read)[0].int64s
            _ = try await transaction.query(statement)
            return try await transaction.query(read)[0].int64s[0] - before[0]
        }
    }

    /// Streams that are seldom used, and much that came since: it is not looked through for each of them, nor is what was passed
    /// of a stream that is used all the time.
    @Test(arguments: Log.allCases)
    func whatCameSinceIsNotReadForEachStream(log: Log) async throws {
        try await withTestOutbox { test in
            if log == .analysedEmpty { try await test.connection.execute(script: "ANALYZE \(test.name).message") }
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).message (destination, payload)
                    SELECT 'quiet' || number % 20, '' FROM generate_series(1, 400) AS number
                    """)
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).stream (destination, snapshot, position, horizon)
                    SELECT 'quiet' || number, pg_current_snapshot(), 400, pg_current_xact_id() FROM generate_series(0, 19) AS number
                    """)
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).message (destination, payload)
                    SELECT 'busy', '' FROM generate_series(1, 20000) AS number;
                    """)
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).stream (destination, snapshot, position, horizon)
                    VALUES ('busy', pg_current_snapshot(), 20400, pg_current_xact_id())
                    """)
            try await test.connection.execute(
                script:
                    "INSERT INTO \(test.name).message (destination, payload) SELECT 'busy', '' FROM generate_series(1, 100)"
            )
            if log == .full {
                try await test.connection.execute(script: "VACUUM ANALYZE \(test.name).message, \(test.name).stream")
            }
            let binds: [LibPQValue] = [.text("main"), .int8(1_000_000)]
            // What is passed of each quiet one twice, what waits a few times, and a descent into each partition's indexes. A plan
            // for the view is made by the statistics: without them it may have the whole log walked through, once.
            let whole: Int64 = log == .full ? 0 : 20_500
            for (name, statement, settings, limit) in [
                ("status", LibPQStatement(test.schema.inspectionStatements.streamStatus, binds + [.null]), true, 2000),
                ("lag", "SELECT * FROM \(unescaped: test.name).lag", false, 2000),
                ("pending", "SELECT * FROM \(unescaped: test.name).pending", false, 2000 + whole),
                ("doctor", LibPQStatement(test.schema.doctorStatements.numbers), true, 2000),
            ] {
                let entries = try await self.entries(test, of: statement, settings: settings)
                #expect(entries <= limit, "\(name)")
            }
        }
    }

    // MARK: - Roles

    @Test func aMonitorSeesTheViewsAndNeitherPayloadNorHeaders() async throws {
        try await withTestOutbox(prefix: "it's \"watched\"") { test in
            try await self.fill(test, .full)
            try await test.withRole { role in
                let connection = try await test.connect(as: role)
                func query(_ text: String) async throws -> LibPQResult {
                    try await connection.query(LibPQStatement(text.replacing("$", with: test.name)))
                }
                let before = await #expect(throws: LibPQError.self) { try await query("TABLE $.lag") }
                #expect(before?.sqlState == "42501")
                try await test.connection.execute(script: test.schema.grants(monitor: role))
                #expect(try await query("SELECT messages FROM $.lag")[0].decode(0, as: Int64.self) == 102)
                #expect(try await query("TABLE $.pending").rowCount == 102)
                for statement in [
                    "SELECT payload FROM $.message", "SELECT headers FROM $.message", "TABLE $.message_0",
                    "TABLE $.message", "SELECT route FROM $.message", "TABLE $.deferred", "TABLE $.dead_letter",
                    "SELECT payload FROM $.dead_letter", "UPDATE $.stream SET paused_at = now()",
                    "TABLE $.idempotency", "DELETE FROM $.pending",
                    "UPDATE $.lag SET messages = 0",
                    "SELECT $.enqueue('there', 'text')", "SELECT $.enqueue('there', 'text', idempotency_key => 'a')",
                ] {
                    let error = await #expect(throws: LibPQError.self, "\(statement)") { try await query(statement) }
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
