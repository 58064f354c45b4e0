import OutboxPostgres
import Testing

/// `outbox doctor`.
@Suite(.timeLimit(.minutes(10))) struct DoctorTests {
    /// Not as old as the tests of this server run at the same time.
    private static let patience = ["--transaction-age", "7d"]

    @Test func theExitCodeIsThatOfTheWorst() async throws {
        let outbox = try await TestOutbox.migrated()
        func doctor(status: Int32) async throws -> JSON {
            try await Program.outbox(
                ["doctor", "--json", "--postgres", outbox.url, "--schema", outbox.schema] + Self.patience,
                status: status
            ).json()
        }
        // No relay works.
        let warned = try await doctor(status: 2)
        #expect(warned["errors"].int == 0 && warned["warnings"].int == 1)
        let finding = try #require(warned["findings"].array.first { $0["severity"].string == "warning" })
        #expect(finding["check"].string == "relay" && finding["advice"].string?.contains("outbox relay") == true)
        // The same with a relay.
        try await outbox.sql(
            "INSERT INTO {{schema}}.stream (destination, snapshot, position, horizon) VALUES ('d', pg_current_snapshot(), 0, pg_current_xact_id())"
        )
        let owner = try await LibPQConnection.connect(LibPQConfiguration(outbox.url))
        let locks: String = """
            SELECT pg_advisory_lock(log, -1), pg_advisory_lock_shared(log, -2147483647), pg_advisory_lock(log, stream.id)
            FROM \(outbox.schema).stream, (SELECT to_regclass('\(outbox.schema).message')::oid::integer AS log) AS logs
            """
        try await owner.query(LibPQStatement(locks, []))
        #expect(try await doctor(status: 0)["warnings"].int == 0)
        await owner.close()
        try await outbox.sql("ALTER TABLE {{schema}}.message DISABLE TRIGGER doorbell")
        #expect(try await doctor(status: 1)["errors"].int == 1)
    }

    @Test func aMissingSchemaIsAFindingWithAnAdvice() async throws {
        let outbox = try await TestOutbox.named()
        let ending = try await outbox("doctor", status: 1)
        #expect(ending.lines.contains { $0.hasPrefix("✗ schema") && $0.contains(outbox.schema) })
        #expect(
            ending.lines.contains {
                $0.hasSuffix("→ Create it: outbox migrate up --schema \(outbox.schema). Or name another schema.")
            })
        #expect(ending.lines.contains { $0.hasPrefix("✓ server") || $0.hasPrefix("! server") })
        #expect(ending.error.isEmpty && !ending.output.contains("\u{1B}"))
    }

    @Test func namesAreNoCommandsToATerminal() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "a\u{1B}[31m\u{7}\n\u{202E}z", "x")
        let output = try await outbox("doctor", "--relay", "a\u{1B}[2J", status: 1).output
        #expect(output.contains("no relay has ever had a route") && output.contains("there is no role"))
        #expect(!output.contains("\u{1B}") && !output.contains("\u{7}") && !output.contains("\u{202E}"))
    }
}
