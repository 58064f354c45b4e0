import OutboxSQL
import Testing

@testable import OutboxPostgres

/// Inspection stays cheap whatever the planner believes of the log.
@Suite(.timeLimit(.minutes(10))) struct StatusPlanTests {
    enum Log: CaseIterable {
        case neverAnalysed, analysedEmpty, full
    }

    @Test(arguments: Log.allCases)
    func onlyIndexesAreRead(log: Log) async throws {
        try await withTestOutbox { test in
            if log == .analysedEmpty { try await test.connection.execute(script: "ANALYZE \(test.name).message") }
            // Running when the cursor's snapshot was taken, with a number below its end.
            let writer = try await test.connect()
            let transaction = try await writer.begin()
            try await writer.query("SELECT pg_current_xact_id()")
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).message (destination, payload)
                    SELECT 'd' || number % 3, '' FROM generate_series(1, 20000) AS number
                    """)
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).stream (destination, snapshot, position, horizon)
                    VALUES ('d0', pg_current_snapshot(), 15000, pg_current_xact_id())
                    """)
            try await transaction.commit()
            await writer.close()
            if log == .full {
                try await test.connection.execute(script: "VACUUM ANALYZE \(test.name).message")
            }
            let statements = test.schema.inspectionStatements
            let binds: [LibPQValue] = [.text("main"), .int8(1_000_000)]
            let stream = try await test.value("SELECT id FROM \(test.name).stream", as: Int32.self)
            for (statement, binds) in [
                (statements.streamStatus, binds + [.null]), (statements.streamStatus, binds + [.text("d0")]),
                (statements.unregistered, binds),
                (statements.passed, binds + [.int4Array([stream]), .int8Array([14000])]),
            ] {
                let plan = try await test.connection.withTransaction { transaction in
                    try await transaction.query(LibPQStatement(statements.configure))
                    return try await transaction.query(
                        LibPQStatement(
                            "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + statement, binds)
                    ).map { row in try row.decode(0, as: String.self) }
                }
                let scans = plan.filter { $0.contains("message_") && $0.contains("Scan") }
                #expect(!scans.isEmpty)
                #expect(scans.allSatisfy { $0.contains("Index Scan") || $0.contains("Index Only Scan") }, "\(scans)")
                #expect(scans.contains { $0.contains("Index Only Scan") })
                #expect(!plan.contains { $0.contains("Sort Method") && $0.contains("Disk") })
                // No index is read from end to end to find little: what is left out is left out by the index.
                let removed = plan.filter { $0.contains("Rows Removed by") }
                    .compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
                #expect(removed.allSatisfy { $0 < 100 }, "\(plan.joined(separator: "\n"))")
            }
        }
    }
}
