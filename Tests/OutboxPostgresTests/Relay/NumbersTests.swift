import Outbox
import OutboxSQL
import TestSupport
import Testing

@testable import OutboxPostgres

/// Ids and transaction numbers that begin again below a cursor, or do not rise together: after a restore, a switch-over, or what
/// an administrator has done to the sequence. Nothing is lost, and nothing is truncated before it is read.
@Suite(.schema, .timeLimit(.minutes(3))) struct NumbersTests {
    private let quick = RelayBench.quick

    /// Runs a relay until nothing is left that it has not delivered, and returns the texts that it has.
    private func deliver(_ bench: RelayBench, _ count: Int) async throws -> [String] {
        let deliveries = Deliveries()
        let relay = bench.relay(["d": .handler { deliveries.add($0) }])
        let events = relay.events(bufferingNewest: 1000)
        try await bench.run(relay) {
            // Otherwise the one before may be seen asleep, whose end the server has not noticed.
            for await event in events where event == .started { break }
            try await eventually("\(count) are delivered") { deliveries.count >= count }
            try await eventually("it sleeps") { try await bench.isAsleep() }
        }
        return deliveries.texts
    }

    private func enqueue(_ bench: RelayBench, _ count: Int, _ name: String) async throws {
        try await bench.sql("SELECT $outbox.enqueue('d', '\(name)' || i) FROM generate_series(1, \(count)) AS i")
    }

    /// As if the outbox had been taken from a server that is five million transactions further on.
    private static let furtherOn = """
        BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL outbox.relay = 'on';
        UPDATE $outbox.stream SET snapshot = '5000000000:5000000000:', horizon = '5000000001'; COMMIT
        """

    private func isPassed(_ bench: RelayBench) async throws -> Bool {
        try await bench.sql("SELECT $outbox.segment_is_passed(0::smallint)")[0].decode(0)
    }

    /// - Parameter count: How many are enqueued before a relay begins: fewer than the cursor's position, and more.
    @Test(arguments: [3, 150, 2500], [true, false])
    func idsThatBeginAgain(count: Int, onAnotherServer: Bool) async throws {
        let bench = try await RelayBench.make()
        try await self.enqueue(bench, 1000, "old")
        #expect(try await self.deliver(bench, 1000).count == 1000)
        if onAnotherServer { try await bench.script(Self.furtherOn) }
        try await bench.script("TRUNCATE $outbox.message RESTART IDENTITY")
        try await self.enqueue(bench, count, "new")
        #expect(try await !self.isPassed(bench))
        let texts = try await self.deliver(bench, count)
        #expect(texts.filter { $0.hasPrefix("new") }.sorted() == (1...count).map { "new\($0)" }.sorted())
        #expect(try await self.isPassed(bench))
        // The cursor is one of this numbering by now, and the next session has nothing to mend.
        try await self.enqueue(bench, 5, "more")
        #expect(try await self.deliver(bench, 5).sorted() == (1...5).map { "more\($0)" })
    }

    /// Rows that were taken along keep the numbers of the other server; the sequence began again.
    @Test func aLogThatWasRestoredWithoutItsSequence() async throws {
        let bench = try await RelayBench.make()
        try await self.enqueue(bench, 1000, "old")
        #expect(try await self.deliver(bench, 1000).count == 1000)
        try await bench.script(Self.furtherOn)
        try await bench.script(
            """
            CREATE TEMP TABLE kept AS SELECT id, created_at, destination, payload FROM $outbox.message;
            TRUNCATE $outbox.message RESTART IDENTITY;
            INSERT INTO $outbox.message (xid, id, created_at, destination, payload)
            OVERRIDING SYSTEM VALUE SELECT '4000000000', id, created_at, destination, payload FROM kept
            """)
        try await self.enqueue(bench, 50, "new")
        let texts = try await self.deliver(bench, 50)
        #expect(texts.filter { $0.hasPrefix("new") }.count == 50)
        #expect(texts.filter { $0.hasPrefix("old") }.isEmpty, "their numbers are none that this server has given")
    }

    /// Under a relay at work, which reads what is new by its transaction number: rows that have one of another time are new by their
    /// ids alone.
    @Test(arguments: ["3", "4000000000"]) func rowsThatArePutIntoTheLogUnderARelay(number: String) async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        try await self.enqueue(bench, 10, "old")
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }, "e": .handler { _ in }])) {
            try await eventually("it sleeps") { try await bench.isAsleep() && deliveries.count == 10 }
            try await bench.script(
                """
                INSERT INTO $outbox.message (xid, id, destination, payload)
                OVERRIDING SYSTEM VALUE SELECT '\(number)', 100 + i, 'd', ('restored' || i)::bytea FROM generate_series(1, 5) AS i;
                SELECT setval(pg_get_serial_sequence('$outbox.message', 'id'), 200)
                """)
            try await self.enqueue(bench, 3, "new")
            let expected = (1...5).map { "restored\($0)" } + (1...3).map { "new\($0)" }
            try await eventually("all are delivered") { Set(deliveries.texts).isSuperset(of: expected) }
            try await eventually("it sleeps") { try await bench.isAsleep() }
            // What was delivered before that was found out comes again.
            #expect(deliveries.texts.filter { $0.hasPrefix("old") || $0.hasPrefix("restored") }.count == 15)
        }
        #expect(try await bench.pendingCount() == 0 || number == "4000000000")
    }

    /// The same, without a message that comes after them.
    @Test(arguments: [true, false]) func rowsThatArePutIntoTheLogAreFoundInTime(polling: Bool) async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        try await self.enqueue(bench, 10, "old")
        let store = PostgresStore(
            postgres: bench.postgres, schema: bench.schema,
            wakeup: polling ? .polling(every: .milliseconds(10)) : .notify(fallback: .milliseconds(50)))
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }], store: store)) {
            try await eventually("all are committed") {
                let isCommitted = try await bench.pendingCount() == 0
                return isCommitted && deliveries.count == 10
            }
            try await bench.script(
                """
                INSERT INTO $outbox.message (xid, id, destination, payload)
                OVERRIDING SYSTEM VALUE SELECT '3', 100 + i, 'd', ('restored' || i)::bytea FROM generate_series(1, 5) AS i
                """)
            try await eventually("they are delivered") {
                deliveries.texts.filter { $0.hasPrefix("restored") }.count == 5
            }
        }
    }

    /// Under a relay at work. What a paused stream has not read is not passed, neither for the janitor nor for a new session.
    @Test(arguments: [true, false])
    func idsThatBeginAgainUnderARelay(pausedBefore: Bool) async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        try await self.enqueue(bench, 500, "old")
        let pause = "UPDATE $outbox.stream SET paused_at = now() WHERE destination = 'd'"
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }, "e": .handler { _ in }])) {
            try await eventually("the old ones are stored") { try await bench.pendingCount() == 0 }
            if pausedBefore { try await bench.script(pause) }
            try await bench.script("TRUNCATE $outbox.message RESTART IDENTITY")
            try await self.enqueue(bench, 10, "first")
            try await bench.sql("SELECT $outbox.enqueue('e', 'x')")
            if !pausedBefore {
                try await eventually("the first are delivered") {
                    deliveries.texts.filter { $0.hasPrefix("first") }.count >= 10
                }
                try await eventually("and stored") { try await bench.pendingCount() == 0 }
                try await bench.script(pause)
            }
            for number in 1...10 { try await bench.sql("SELECT $outbox.enqueue('d', 'paused\(number)')") }
            try await bench.sql(
                "INSERT INTO $outbox.message (destination, payload) SELECT 'e', '' FROM generate_series(1, 600)")
            try await eventually("the other stream has passed them") {
                try await bench.count("SELECT count(*) FROM $outbox.stream WHERE destination = 'e' AND position > 600")
                    == 1
            }
            for _ in 1...3 { try await OutboxJanitor(schema: bench.schema, policy: .eager).run(on: bench.admin) }
            try await bench.script("UPDATE $outbox.stream SET paused_at = NULL WHERE destination = 'd'")
            try await eventually("what was paused is delivered") {
                Set(deliveries.texts.filter { $0.hasPrefix("paused") }).count == 10
            }
        }
        #expect(Set(deliveries.texts.filter { $0.hasPrefix("first") }).count == 10)
    }

    /// A position that stays above the last id, and a stream whose first read comes later than its session.
    @Test(arguments: ["an explicit id", "ids drawn in advance"])
    func whatComesBetweenABeginningAndTheFirstRead(cause: String) async throws {
        let bench = try await RelayBench.make()
        try await self.enqueue(bench, 10, "old")
        if cause == "an explicit id" {
            try await bench.sql(
                "INSERT INTO $outbox.message (id, destination, payload) OVERRIDING SYSTEM VALUE VALUES (1000000, 'd', '')"
            )
        } else {
            try await bench.script("ALTER TABLE $outbox.message ALTER id SET CACHE 50")
        }
        let early = try await LibPQConnection.connect(bench.postgres)
        try await early.execute(script: bench.render("SELECT $outbox.enqueue('d', 'drawn')"))
        let late = try await LibPQConnection.connect(bench.postgres)
        try await late.execute(script: bench.render("SELECT $outbox.enqueue('d', 'drawn')"))
        _ = try await self.deliver(bench, 12)
        try await bench.script("UPDATE $outbox.stream SET paused_at = now()")
        let deliveries = Deliveries()
        let relay = bench.relay(["d": .handler { deliveries.add($0) }])
        let events = relay.events
        try await bench.run(relay) {
            for await event in events { if event == .started { break } }
            for _ in 1...5 { try await early.execute(script: bench.render("SELECT $outbox.enqueue('d', 'between')")) }
            try await bench.script("UPDATE $outbox.stream SET paused_at = NULL")
            try await eventually("all are delivered") { deliveries.texts.filter { $0 == "between" }.count == 5 }
        }
    }

    /// Rows of an archive, put in again below the position of a paused stream, while a relay works.
    @Test func whatIsPutInBelowAPausedStreamIsNotTruncated() async throws {
        let bench = try await RelayBench.make()
        try await self.enqueue(bench, 500, "old")
        _ = try await self.deliver(bench, 500)
        try await bench.script("UPDATE $outbox.stream SET paused_at = now()")
        try await bench.sql(
            """
            INSERT INTO $outbox.message (id, destination, payload) OVERRIDING SYSTEM VALUE
            SELECT i, 'd', 'again' FROM generate_series(101, 110) AS i
            """)
        #expect(try await !self.isPassed(bench))
        try await bench.script("UPDATE $outbox.stream SET paused_at = NULL")
        let texts = try await self.deliver(bench, 10)
        #expect(texts.filter { $0 == "again" }.count == 10)
        #expect(try await self.isPassed(bench))
    }

    /// A dead letter has the number of a message that is to be dead: that one waits, and other destinations go on.
    @Test func theNumberOfADeadLetterStopsItsDestinationOnly() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        try await bench.sql(
            """
            INSERT INTO $outbox.dead_letter (id, created_at, destination, payload, attempts, reason)
            VALUES (1, '2020-01-01', 'd', '', 1, 'rejected')
            """)
        try await bench.script("SELECT $outbox.enqueue('d', 'bad'); SELECT $outbox.enqueue('other', 'good')")
        let relay = bench.relay([
            "d": .handler { _ in throw DeliveryFailure.reject("no") }, "other": .handler { deliveries.add($0) },
        ])
        try await bench.run(relay) {
            try await eventually("the other one is stored") {
                try await bench.count(
                    "SELECT count(*) FROM $outbox.stream WHERE destination = 'other' AND position > 0") == 1
            }
            #expect(
                try await bench.count("SELECT count(*) FROM $outbox.stream WHERE destination = 'd' AND position > 0")
                    == 0)
            try await bench.sql("DELETE FROM $outbox.dead_letter WHERE created_at = '2020-01-01'")
            try await eventually("this one too") { try await bench.deadCount() == 1 }
        }
        #expect(deliveries.texts == ["good"])
    }

    /// The first that come after the cursor have ids above it, so a look at a few does not tell.
    @Test func idsThatBeginAgainAfterOthersHaveCome() async throws {
        let bench = try await RelayBench.make()
        try await self.enqueue(bench, 1000, "old")
        #expect(try await self.deliver(bench, 1000).count == 1000)
        try await self.enqueue(bench, 150, "more")
        try await bench.script("ALTER TABLE $outbox.message ALTER id RESTART")
        try await self.enqueue(bench, 50, "new")
        let texts = try await self.deliver(bench, 200)
        #expect(texts.sorted() == ((1...150).map { "more\($0)" } + (1...50).map { "new\($0)" }).sorted())
    }

    /// Sessions use ids later than others have passed them.
    @Test func idsThatAreDrawnInAdvance() async throws {
        let bench = try await RelayBench.make()
        try await bench.script("ALTER TABLE $outbox.message ALTER id SET CACHE 50")
        let first = try await LibPQConnection.connect(bench.postgres)
        let second = try await LibPQConnection.connect(bench.postgres)
        func enqueue(_ connection: LibPQConnection, _ count: Int) async throws {
            try await connection.execute(
                script: bench.render("SELECT $outbox.enqueue('d', 'x') FROM generate_series(1, \(count))"))
        }
        try await enqueue(first, 1)
        try await enqueue(second, 500)
        #expect(try await self.deliver(bench, 501).count == 501)
        #expect(try await !self.isPassed(bench), "what a session still has may come")
        try await enqueue(second, 300)
        try await enqueue(first, 3)
        #expect(try await self.deliver(bench, 303).count == 303)
    }

    /// As above, but nothing shows it any more than the messages themselves, behind more than anybody looks at at once.
    @Test func idsThatWereDrawnInAdvanceLongAgo() async throws {
        let bench = try await RelayBench.make()
        try await bench.script("ALTER TABLE $outbox.message ALTER id SET CACHE 50")
        let first = try await LibPQConnection.connect(bench.postgres)
        func enqueue(_ connection: LibPQConnection, _ text: String, _ count: Int) async throws {
            try await connection.execute(
                script: bench.render(
                    "INSERT INTO $outbox.message (destination, payload) SELECT 'd', '\(text)' FROM generate_series(1, \(count))"
                ))
        }
        try await enqueue(first, "first", 1)
        try await bench.script("ALTER TABLE $outbox.message ALTER id SET CACHE 1")
        let second = try await LibPQConnection.connect(bench.postgres)
        try await enqueue(second, "second", 500)
        #expect(try await self.deliver(bench, 501).count == 501)
        // More than two slices, one of them a transaction alone.
        for _ in 1...20 { try await enqueue(second, "third", 100) }
        try await enqueue(second, "third", 25_000)
        // The server may let a session keep what it has drawn, or not.
        try await bench.script(
            """
            INSERT INTO $outbox.message (id, destination, payload) OVERRIDING SYSTEM VALUE VALUES (2, 'd', 'first'), (3, 'd', 'first')
            """)
        try await enqueue(second, "fourth", 50)
        let texts = try await self.deliver(bench, 27_052)
        #expect(texts.filter { $0 == "first" }.count == 2)
        #expect(texts.count <= 2 * 27_052, "once more at most")
        #expect(try await self.deliver(bench, 0) == [])
    }

    /// After a restore, streams that are seldom used keep cursors of the other server: for each of them, neither a session that begins nor
    /// the janitor looks at all that has come since.
    @Test func whatCameSinceARestoreIsNotReadForEachStream() async throws {
        let bench = try await RelayBench.make()
        try await bench.script(
            """
            INSERT INTO $outbox.message (xid, id, destination, payload) OVERRIDING SYSTEM VALUE
            SELECT '4000000000', number, 'quiet' || number % 20, '' FROM generate_series(1, 200) AS number;
            SELECT setval(pg_get_serial_sequence('$outbox.message', 'id'), 200);
            INSERT INTO $outbox.stream (destination, snapshot, position, horizon)
            SELECT 'quiet' || number, '5000000000:5000000000:', 200, '5000000001' FROM generate_series(0, 19) AS number
            """)
        try await bench.script(
            "INSERT INTO $outbox.message (destination, payload) SELECT 'zealous', '' FROM generate_series(1, 5000)")
        try await bench.script(
            """
            INSERT INTO $outbox.stream (destination, snapshot, position, horizon)
            VALUES ('zealous', pg_current_snapshot(), 5200, pg_current_xact_id())
            """)
        let streams = try await bench.sql("SELECT id FROM $outbox.stream WHERE destination LIKE 'quiet%'").map { row in
            try row.decode(0, as: Int32.self)
        }
        let restart = LibPQStatement(
            bench.schema.statements.restart.text, [.int4Array(streams), .int8(5200), .bool(true)])
        let isPassed = LibPQStatement(bench.render("SELECT $outbox.segment_is_passed(0::smallint)"))
        let entries = LibPQStatement(
            bench.render(
                """
                SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid))::bigint FROM pg_index
                WHERE indrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = '$outbox.message'::regclass)
                """))
        try await bench.admin.withTransaction { transaction in
            try await transaction.query(LibPQStatement(bench.schema.inspectionStatements.configure))
            for statement in [restart, isPassed] {
                let before = try await transaction.query(entries)[0].decode(0, as: Int64.self)
                let result = try await transaction.query(statement)
                let after = try await transaction.query(entries)[0].decode(0, as: Int64.self)
                #expect(after - before < 1500)
                if statement.text == isPassed.text { #expect(try result[0].decode(0, as: Bool.self)) }
            }
        }
        // One that has a message of this server with an id that was passed is found all the same.
        try await bench.script(
            "INSERT INTO $outbox.message (id, destination, payload) OVERRIDING SYSTEM VALUE VALUES (7, 'quiet7', '')")
        #expect(try await !self.isPassed(bench))
        let found = try await bench.admin.query(restart)
        #expect(try found.map { row in try row.decode(0, as: String.self) } == ["quiet7"])
    }

    @Test func snapshotsAsText() async throws {
        let bench = try await RelayBench.make()
        for text in ["3:3:", "100:200:101,105,199", "5000000000:9000000000:5000000001"] {
            let row = try await bench.sql("SELECT '\(text)'::pg_snapshot")[0]
            #expect(Cursor.text(of: row.bytes(0) ?? []) == text)
            #expect(Cursor.maximum(of: row.bytes(0) ?? []) == UInt64(text.split(separator: ":")[1]))
        }
    }

    @Test func idsThatFallAreRefused() async throws {
        let bench = try await RelayBench.make()
        try await bench.script("ALTER TABLE $outbox.message ALTER id SET INCREMENT BY -1 SET MINVALUE -1000")
        let relay = bench.relay(["d": .handler { _ in }])
        let error = await #expect(throws: RelayError.self) { try await relay.run() }
        #expect(error?.code == .log && error?.message.contains("SET INCREMENT BY 1") == true)
    }

    /// A server that was started again, or another, may give ids again that were delivered.
    @Test func idsJumpAheadWhereTheServerWasStartedAgain() async throws {
        let bench = try await RelayBench.make()
        try await self.enqueue(bench, 10, "a")
        #expect(try await self.deliver(bench, 10).count == 10)
        try await self.enqueue(bench, 1, "b")
        #expect(try await self.deliver(bench, 1) == ["b1"])
        #expect(try await bench.count("SELECT $outbox.last_id()") == 11, "the same server")
        for change in ["timeline = timeline - 1", "started_at = started_at - interval '1 h'", "system_identifier = 1"] {
            try await bench.sql("UPDATE $outbox.numbering SET \(change)")
            // Higher than what this server's sequence knows.
            try await bench.script("UPDATE $outbox.stream SET position = position + 1000")
            let known = try await bench.count("SELECT max(position) FROM $outbox.stream")
            _ = try await self.deliver(bench, 0)
            let last = try await bench.count("SELECT $outbox.last_id()")
            #expect(last >= known + 1_000_000)
            try await self.enqueue(bench, 1, "c")
            #expect(try await self.deliver(bench, 1) == ["c1"])
        }
    }

    /// Its rows have the numbers of the publisher, which say nothing here.
    @Test func aLogThatASubscriptionWritesIsNotDelivered() async throws {
        let bench = try await RelayBench.make()
        let name = "sub_\(bench.schema.name)".filter { $0.isLetter || $0.isNumber || $0 == "_" }.lowercased()
        try await bench.script(
            "CREATE SUBSCRIPTION \(name) CONNECTION 'dbname=none' PUBLICATION none WITH (connect = false, slot_name = NONE)"
        )
        try await bench.script(
            """
            INSERT INTO pg_subscription_rel
            SELECT oid, '$outbox.message_2'::regclass, 'r', NULL FROM pg_subscription WHERE subname = '\(name)'
            """)
        try await self.enqueue(bench, 1, "x")
        let relay = bench.relay(["d": .handler { _ in Issue.record("delivered") }])
        let events = relay.events
        try await bench.run(relay) {
            for await event in events {
                guard case .disconnected(let reason, _) = event else { continue }
                #expect(reason.contains("DROP SUBSCRIPTION"))
                break
            }
        }
        try await bench.script("DROP SUBSCRIPTION \(name)")
        #expect(try await self.deliver(bench, 1) == ["x1"])
    }

    /// What it hides would be passed.
    @Test(arguments: ["message", "stream", "deferred", "dead_letter", "segment", "migration"])
    func rowLevelSecurityIsRefused(table: String) async throws {
        let bench = try await RelayBench.make()
        let role = "relay of \(bench.schema.name)"
        try await bench.script(
            """
            CREATE ROLE "\(role)" LOGIN; \(bench.schema.grants(relay: role));
            ALTER TABLE $outbox.\(table) ENABLE ROW LEVEL SECURITY;
            CREATE POLICY p ON $outbox.\(table) FOR SELECT TO "\(role)" USING (true)
            """)
        var postgres = bench.postgres
        postgres.parameters["user"] = role
        let relay = bench.relay(
            ["d": .handler { _ in }], store: PostgresStore(postgres: postgres, schema: bench.schema))
        let error = await #expect(throws: RelayError.self) { try await relay.run() }
        #expect(error?.code == .privilege)
        let inspector = try await LibPQConnection.connect(postgres)
        if table != "segment" {
            await #expect(throws: (any Error).self) {
                _ = try await OutboxInspector(schema: bench.schema).status(on: inspector)
                _ = try await OutboxInspector(schema: bench.schema).deadLetters(on: inspector)
            }
        }
        await inspector.close()
        try await bench.script("DROP OWNED BY \"\(role)\" CASCADE; DROP ROLE \"\(role)\"")
    }
}
