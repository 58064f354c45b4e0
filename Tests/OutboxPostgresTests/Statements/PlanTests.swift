import OutboxPostgres
import OutboxSQL
import Testing

/// The plan of every runtime statement that reads the log, whatever the planner knows of the tables.
@Suite(.schema, .timeLimit(.minutes(10))) struct PlanTests {
    enum State: String, CaseIterable, Sendable {
        case neverAnalysed
        case analysedEmpty
        case full
        /// Filled after it was analysed empty: the statistics are wrong.
        case fullWithEmptyStatistics
        case manyDestinations
    }

    private func prepare(_ bench: RelayBench, _ state: State) async throws {
        let fill = """
            INSERT INTO $outbox.message (destination, payload, key, segment)
            SELECT 'd' || i % 3, convert_to(repeat('x', 100), 'UTF8'), 'k' || i % 100, i % 2
            FROM generate_series(1, 20000) AS i
            """
        switch state {
        case .neverAnalysed:
            break
        case .analysedEmpty:
            try await bench.sql("ANALYZE $outbox.message")
        case .full:
            try await bench.sql(fill)
            try await bench.sql("ANALYZE $outbox.message")
        case .fullWithEmptyStatistics:
            try await bench.sql("ANALYZE $outbox.message")
            try await bench.sql(fill)
        case .manyDestinations:
            try await bench.sql(
                """
                INSERT INTO $outbox.message (destination, payload)
                SELECT 'd' || i, ''::bytea FROM generate_series(1, 20000) AS i
                """)
            try await bench.sql("ANALYZE $outbox.message")
        }
    }

    /// The plan that a relay's session makes for a statement.
    private func plan(
        _ bench: RelayBench, _ text: String, _ arguments: String, types: String, after setting: String = "SELECT 1"
    ) async throws -> [String] {
        let connection = try await LibPQConnection.connect(bench.postgres)
        _ = try await connection.query(LibPQStatement(bench.schema.statements.configure.text, []))
        try await connection.execute(script: "BEGIN; \(setting)")
        try await connection.execute(script: "PREPARE statement (\(types)) AS \(text)")
        let result = try await connection.query(
            LibPQStatement("EXPLAIN (COSTS OFF) EXECUTE statement (\(arguments))", []))
        return try result.map { row in try row.decode(0, as: String.self) }
    }

    /// Which index each scan of the log's partitions uses; anything but an index scan is a finding of its own.
    private func scans(_ plan: [String]) -> Set<String> {
        Set(
            plan.compactMap { line -> String? in
                guard line.contains("Scan") && line.contains("message_") else { return nil }
                if line.contains("Index Scan using") || line.contains("Index Only Scan using") {
                    return line.contains("_xid_idx")
                        ? "xid" : line.contains("_destination_id_slot_idx") ? "destination" : line
                }
                return line
            })
    }

    @Test(arguments: State.allCases) func lateIsServedByTheIndexOnXid(state: State) async throws {
        let bench = try await RelayBench.make()
        try await self.prepare(bench, state)
        let plan = try await self.plan(
            bench, bench.schema.statements.readLate.text,
            "pg_current_snapshot(), NULL, 1000, 'd1', 0, 1023, 1000, 8000000",
            types: "pg_snapshot, xid8, bigint, text, integer, integer, bigint, bigint")
        #expect(self.scans(plan) == ["xid"], "\(plan.joined(separator: "\n"))")
        let conditions = plan.filter { $0.contains("Index Cond") }
        #expect(conditions.count == 8, "both branches, in every partition, by a condition on xid")
        #expect(conditions.allSatisfy { $0.contains("xid") })
    }

    @Test(arguments: State.allCases, [true, false])
    func newIsServedByTheIndexOnXid(state: State, running: Bool) async throws {
        let bench = try await RelayBench.make()
        try await self.prepare(bench, state)
        let statements = bench.schema.statements
        let plan = try await self.plan(
            bench, (running ? statements.readNewRunning : statements.readNew).text,
            "pg_current_snapshot(), '{d1,d2}', true, 1000, 8000, NULL",
            types: "pg_snapshot, text[], boolean, bigint, integer, integer"
        )
        #expect(self.scans(plan) == ["xid"], "\(plan.joined(separator: "\n"))")
        let conditions = plan.filter { $0.contains("Index Cond") }
        #expect(conditions.count == (running ? 8 : 4))
        #expect(conditions.allSatisfy { $0.contains("xid") })
    }

    @Test(arguments: State.allCases) func firstNewIsServedByTheIndexOnXidOnceForAllStreams(state: State) async throws {
        let bench = try await RelayBench.make()
        try await self.prepare(bench, state)
        let plan = try await self.plan(
            bench, bench.schema.statements.firstNew.text, "'{1,2}', '{d1,d2}', ARRAY['1:1:', '2:3:2']",
            types: "integer[], text[], text[]", after: bench.schema.statements.joinByHash.text)
        #expect(self.scans(plan) == ["xid"], "\(plan.joined(separator: "\n"))")
        #expect(plan.filter { $0.contains("Index Cond") }.count == 8, "each partition twice, however many streams")
        #expect(plan.contains { $0.contains("Hash Join") }, "\(plan.joined(separator: "\n"))")
    }

    @Test(arguments: State.allCases) func beyondIsServedByTheIndexOnDestination(state: State) async throws {
        let bench = try await RelayBench.make()
        try await self.prepare(bench, state)
        let plan = try await self.plan(
            bench, bench.schema.statements.beyond.text, "'{1,2}', '{d1,d2}', '{5,6}', '{0,0}', '{1023,1023}'",
            types: "integer[], text[], bigint[], integer[], integer[]")
        #expect(self.scans(plan) == ["destination"], "\(plan.joined(separator: "\n"))")
        #expect(
            plan.filter { $0.contains("Index Cond") }.allSatisfy {
                $0.contains("destination = ") && $0.contains("id > ")
            })
        #expect(!plan.contains { $0.contains("Sort") && !$0.contains("Sort Key") }, "\(plan)")
    }

    @Test(arguments: State.allCases) func freshIsServedInOrderByTheIndexOnDestination(state: State) async throws {
        let bench = try await RelayBench.make()
        try await self.prepare(bench, state)
        let plan = try await self.plan(
            bench, bench.schema.statements.readFreshBounded.text,
            "1000, 'd1', 0::smallint, 1023::smallint, 1000, 8000000",
            types: "bigint, text, smallint, smallint, bigint, bigint")
        let plain = try await self.plan(
            bench, bench.schema.statements.readFresh.text, "1000, 'd1', 0::smallint, 1023::smallint, 1000, 8000",
            types: "bigint, text, smallint, smallint, bigint, integer")
        #expect(self.scans(plain) == ["destination"], "\(plain.joined(separator: "\n"))")
        #expect(!plain.contains { $0.contains("Sort") && !$0.contains("Sort Key") }, "no sort: \(plain)")
        #expect(self.scans(plan) == ["destination"], "\(plan.joined(separator: "\n"))")
        #expect(!plan.contains { $0.contains("Sort") && !$0.contains("Sort Key") }, "no sort: \(plan)")
        #expect(
            plan.filter { $0.contains("Index Cond") }.allSatisfy {
                $0.contains("destination = ") && $0.contains("id > ")
            })
    }

    /// Of a destination that eight streams split, the rows of other slots are not read: the slot is a condition on the index,
    /// with the expression that is in it, wherever a statement that runs all the time asks for it.
    @Test(arguments: State.allCases) func theSlotIsAConditionOnTheIndex(state: State) async throws {
        let bench = try await RelayBench.make()
        try await self.prepare(bench, state)
        let statements = bench.schema.statements
        for (text, arguments, types) in [
            (
                statements.readFresh.text, "1000, 'd1', 128::smallint, 255::smallint, 1000, 8000",
                "bigint, text, smallint, smallint, bigint, integer"
            ),
            (
                statements.readFreshBounded.text, "1000, 'd1', 128::smallint, 255::smallint, 1000, 8000000",
                "bigint, text, smallint, smallint, bigint, bigint"
            ),
            (
                statements.readCatchup.text,
                """
                pg_current_snapshot(), 1000, pg_current_snapshot(), 10, 'd1', 128::smallint, 255::smallint, 1000, 8000000, NULL
                """, "pg_snapshot, bigint, pg_snapshot, bigint, text, smallint, smallint, bigint, bigint, xid8"
            ),
        ] {
            let plan = try await self.plan(bench, text, arguments, types: types)
            let conditions = plan.filter { $0.contains("Index Cond") }
            #expect(conditions.count == 4)
            #expect(
                conditions.allSatisfy { $0.contains("hashtext(key)") && $0.contains(">= $") && $0.contains("<= $") },
                "\(plan)")
            #expect(!plan.contains { $0.contains("Filter") && $0.contains("hashtext") }, "\(plan)")
        }
    }

    @Test(arguments: State.allCases) func catchingUpIsServedInOrderByTheIndexOnDestination(state: State) async throws {
        let bench = try await RelayBench.make()
        try await self.prepare(bench, state)
        let plan = try await self.plan(
            bench, bench.schema.statements.readCatchup.text,
            "pg_current_snapshot(), 1000, pg_current_snapshot(), 10, 'd1', 0::smallint, 1023::smallint, 1000, 8000000, NULL",
            types: "pg_snapshot, bigint, pg_snapshot, bigint, text, smallint, smallint, bigint, bigint, xid8")
        #expect(self.scans(plan) == ["destination"], "\(plan.joined(separator: "\n"))")
        #expect(!plan.contains { $0.contains("Sort") && !$0.contains("Sort Key") })
    }

    @Test(arguments: State.allCases) func verdictsFindTheirMessagesById(state: State) async throws {
        let bench = try await RelayBench.make()
        try await self.prepare(bench, state)
        let statements = bench.schema.statements
        for (text, arguments, types) in [
            (
                statements.insertDeferred.text, "'main', 'd1', '{1,2}', '{1,1}', '{-1,5}', '{1,0}', '{a,b}'",
                "text, text, bigint[], integer[], bigint[], integer[], text[]"
            ),
            (
                statements.insertDead.text, "'main', 'd1', '{1,2}', '{1,1}', '{rejected,rejected}', '{a,b}'",
                "text, text, bigint[], integer[], text[], text[]"
            ),
        ] {
            let plan = try await self.plan(bench, text, arguments, types: types)
            #expect(self.scans(plan) == ["destination"], "\(plan.joined(separator: "\n"))")
            #expect(
                plan.filter { $0.contains("Index Cond") }.allSatisfy { $0.contains("id = ") },
                "\(plan.joined(separator: "\n"))")
        }
    }

    @Test(arguments: [true, false]) func deferredMessagesAreFoundByTimeAndKey(isAnalysed: Bool) async throws {
        let bench = try await RelayBench.make()
        try await bench.sql(
            """
            INSERT INTO $outbox.deferred (id, created_at, destination, key, payload, ordered, next_attempt_at)
            SELECT i, now(), 'd' || i % 3, 'k' || i % 1000, '', true, 'infinity' FROM generate_series(1, 20000) AS i
            """)
        if isAnalysed { try await bench.sql("ANALYZE $outbox.deferred") }
        let statements = bench.schema.statements
        for (statement, arguments, types, indexes) in [
            (
                statements.nextDue, "'main', 'd1', '{1,2}', 0::smallint, 1023::smallint",
                "text, text, bigint[], smallint, smallint", ["deferred_due"]
            ),
            (
                statements.nextDueOf, "'main', '{1,2}', '{d1,d2}', '{0,0}', '{1023,1023}'",
                "text, integer[], text[], integer[], integer[]", ["deferred_due"]
            ),
            (
                statements.readKeys, "'main', '{1,2}', '{d1,d2}', '{0,0}', '{1023,1023}'",
                "text, integer[], text[], integer[], integer[]", ["deferred_due"]
            ),
            (
                statements.promoteAll, "'main', '{d1,d2}', '{0,0}', '{1023,1023}'", "text, text[], integer[], integer[]",
                ["deferred_due", "deferred_pkey", "deferred_pkey"]
            ),
            (
                statements.promoteKeys, "'main', 'd1', '{k1,k2}'", "text, text, text[]",
                ["deferred_key", "deferred_pkey"]
            ),
            (
                statements.readDue, "'main', 'd1', 1000, 8000000, '{1,2}', 0::smallint, 1023::smallint",
                "text, text, bigint, bigint, bigint[], smallint, smallint",
                ["deferred_due", "deferred_key", "deferred_pkey", "deferred_key"]
            ),
            (statements.deleteDeferred, "'main', '{1,2}'", "text, bigint[]", ["deferred_pkey"]),
        ] {
            // A plan for an empty table would read all of it.
            #expect(statement.name == nil)
            let plan = try await self.plan(bench, statement.text, arguments, types: types)
            let scans = plan.filter { $0.contains("Scan") && !$0.contains("Subquery") && $0.contains(" on deferred") }
            let used = scans.map { line in
                line.split(separator: " ").first { $0.hasPrefix("deferred_") }.map(String.init) ?? line
            }
            #expect(used == indexes, "\(plan.joined(separator: "\n"))")
            #expect(plan.filter { $0.contains("Index Cond") }.count == indexes.count)
            #expect(!plan.contains { $0.contains("Sort Key: waiting") || $0.contains("Sort Key: other") })
        }
    }

    /// Comments too are read by servers that know no other characters.
    @Test func statementsAreASCII() {
        let schema = OutboxSchema()
        let statements = Mirror(reflecting: schema.statements).children.compactMap { $0.value as? Statements.Statement }
        #expect(statements.count > 20)
        for text in statements.map(\.text) + [schema.sql, schema.down] {
            #expect(text.utf8.allSatisfy { $0 < 0x80 }, "\(text)")
        }
    }

    @Test func theCursorsRowIsFoundByItsPlace() async throws {
        let bench = try await RelayBench.make()
        let plan = try await self.plan(
            bench, bench.schema.statements.moveCursor.text,
            "'(0,1)', 1, pg_current_snapshot(), 5, NULL, NULL, NULL, 0, NULL, NULL, NULL, 'd', 0::smallint, 1023::smallint",
            types: """
                tid, integer, pg_snapshot, bigint, pg_snapshot, bigint, xid8, integer, pg_snapshot, bigint, bigint, text,
                smallint, smallint
                """)
        #expect(plan.contains { $0.contains("Tid Scan on stream") }, "\(plan.joined(separator: "\n"))")
        #expect(self.scans(plan) == ["destination"], "\(plan.joined(separator: "\n"))")
        #expect(plan.filter { $0.contains("Index Cond") && $0.contains("id > ") }.allSatisfy { $0.contains("id <= ") })
    }
}
