import Outbox
import OutboxRuntime
import TestSupport
import Testing

@testable import OutboxPostgres

/// What an administrator, a restore or another application can do to an outbox, and no error tells of.
@Suite(.timeLimit(.minutes(3))) struct DoctorFaultTests {
    private func troubles(
        _ check: String, _ test: TestOutbox, roles: OutboxDoctor.Roles = .init(), limits: OutboxDoctor.Limits = .init()
    ) async throws -> [DoctorFinding] {
        try await OutboxDoctor(schema: test.schema, roles: roles, limits: limits).examine(test.configuration())
            .filter { $0.check == check && $0.severity != .ok }
    }

    /// Each is seen, and its advice, where it is a statement, mends it.
    @Test(arguments: [
        ("ALTER TABLE $outbox.message ALTER id SET CACHE 20", "CACHE"),
        ("ALTER TABLE $outbox.message ALTER id SET INCREMENT BY -1 SET MINVALUE -100", "fall"),
        ("ALTER TABLE $outbox.message ALTER id SET CYCLE", "CYCLE"),
        ("ALTER TABLE $outbox.message ALTER id DROP IDENTITY", "no sequence"),
        ("UPDATE $outbox.stream SET position = 1000", "above the last id"),
        (
            "UPDATE $outbox.stream SET snapshot = '9000000000:9000000000:', horizon = '9000000000'",
            "transaction numbers were higher"
        ),
        (
            """
            UPDATE $outbox.stream SET position = 1; INSERT INTO $outbox.message (id, destination, payload)
            OVERRIDING SYSTEM VALUE VALUES (1, 'd', '')
            """, "set back"
        ),
    ])
    func numbersThatAreNotAsTheyShouldBe(breaking: String, seen: String) async throws {
        try await withTestOutbox { test in
            _ = try await test.value("SELECT \(test.name).enqueue('d', 'x')", as: Int64.self)
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).stream (destination, snapshot, position, horizon)
                    VALUES ('d', pg_current_snapshot(), 1, pg_current_xact_id())
                    """)
            #expect(try await self.troubles("numbers", test).isEmpty)
            try await test.connection.execute(script: breaking.replacing("$outbox", with: test.name))
            let found = try await self.troubles("numbers", test)
            #expect(found.contains { $0.seen.contains(seen) }, "\(found)")
            guard let advice = found.first?.advice, advice.hasPrefix("ALTER TABLE") else { return }
            try await test.connection.execute(script: String(advice.prefix { $0 != ";" }))
            #expect(try await self.troubles("numbers", test).isEmpty)
        }
    }

    /// A transaction that was running when the snapshot of a late part was pinned, with a number from that one's end on: its messages
    /// wait, and no number is wrong.
    @Test func whatIsLateForALatePartIsNoFault() async throws {
        try await withTestOutbox { test in
            let writer = try await test.connect()
            let transaction = try await writer.begin()
            try await writer.query("SELECT \(unescaped: test.name).enqueue('d', 'x')")
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).stream
                        (destination, snapshot, position, horizon, catchup_snapshot, catchup_position)
                    SELECT 'd', '3:3:', 1, pg_snapshot_xmax(now), now, 0 FROM pg_current_snapshot() AS now
                    """)
            try await transaction.commit()
            await writer.close()
            #expect(try await self.troubles("numbers", test).isEmpty)
            let status = try await OutboxInspector(schema: test.schema).status(on: test.connection)
            #expect(status.streams.map(\.lag.value) == [1])
        }
    }

    @Test func collationsAndOwnersThatAreNotAsTheyWere() async throws {
        try await withTestOutbox { test in
            try await test.withRole { role in
                try await test.connection.execute(
                    script: """
                        ALTER TABLE \(test.name).dead_letter ALTER COLUMN key TYPE text COLLATE "default";
                        GRANT USAGE, CREATE ON SCHEMA \(test.name) TO "\(role)";
                        ALTER TABLE \(test.name).message_1 OWNER TO "\(role)";
                        SET ROLE NONE
                        """)
                // A superuser may empty what is another's.
                let found = try await self.troubles("objects", test)
                #expect(found.map(\.seen).contains { $0.contains("collation") })
                try await test.connection.execute(script: "ALTER TABLE \(test.name).message_1 OWNER TO CURRENT_USER")
                for finding in found { try await test.connection.execute(script: try #require(finding.advice)) }
                #expect(try await self.troubles("objects", test).isEmpty)
            }
        }
    }

    @Test func rowsThatAreHiddenFromARole() async throws {
        try await withTestOutbox { test in
            try await test.withRole { role in
                try await test.connection.execute(script: test.schema.grants(relay: role))
                var roles = OutboxDoctor.Roles()
                roles.relay = role
                #expect(try await self.troubles("privileges", test, roles: roles).isEmpty)
                try await test.connection.execute(script: "ALTER TABLE \(test.name).deferred ENABLE ROW LEVEL SECURITY")
                let found = try await self.troubles("privileges", test, roles: roles)
                #expect(found.map(\.severity) == [.error] && found[0].seen.contains("deferred"))
                try await test.connection.execute(script: "ALTER ROLE \"\(role)\" BYPASSRLS")
                #expect(try await self.troubles("privileges", test, roles: roles).isEmpty)
            }
        }
    }

    /// A role that may do nothing but connect takes a lock that is a relay's.
    @Test(arguments: [
        ("pg_advisory_lock(log, 1)", "nothing of the stream is delivered"),
        ("pg_advisory_lock(log, -1)", "relays never sleep"),
        ("pg_advisory_lock(log, -2)", "they do not share"),
        ("pg_advisory_lock(log, 0)", "relays never sleep"),
        ("pg_advisory_lock(log, -2147483647)", "status does not see"),
    ])
    func locksThatOthersHold(lock: String, seen: String) async throws {
        try await withTestOutbox { test in
            try await test.withRole { role in
                let log = try await test.value(
                    "SELECT '\(test.schema.identifierText).message'::regclass::oid::int8", as: Int64.self)
                let other = try await test.connect(as: role)
                try await other.query(
                    LibPQStatement("SELECT \(lock) FROM (SELECT (\(log))::int8::oid::int4 AS log) AS logs", []))
                let found = try await self.troubles("locks", test)
                #expect(found.count == 1 && found[0].severity == .error && found[0].seen.contains(seen), "\(found)")
                #expect(found.first?.seen.contains("server process \(other.processID)") == true)
                let status = try await OutboxInspector(schema: test.schema).status(on: test.connection)
                #expect(status.relays.isEmpty)
                // A relay begins all the same, and takes over when it can.
                let deliveries = Deliveries()
                var settings = RelaySettings()
                settings.standbyInterval = .milliseconds(20)
                let relay = try await Relay(
                    store: PostgresStore(postgres: test.configuration(), schema: test.schema),
                    routes: ["d": .handler { deliveries.add($0) }], settings: settings)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await relay.run() }
                    _ = try await test.value("SELECT \(test.name).enqueue('d', 'x')", as: Int64.self)
                    if !lock.contains(", 1)") {
                        try await eventually("it delivers beside that") { deliveries.count == 1 }
                    }
                    await other.close()
                    try await eventually("it delivers") { deliveries.count == 1 }
                    relay.stop()
                    try await group.waitForAll()
                }
            }
        }
    }

    /// As one whose process is frozen: it has a session, and nothing is committed.
    @Test func aRelayThatCommitsNothing() async throws {
        try await withTestOutbox { test in
            let gate = Latch()
            let entered = Latch()
            let relay = try await Relay(
                postgres: test.configuration(), outbox: test.schema,
                routes: [
                    "d": .handler(parking: .never) { _ in
                        entered.open()
                        await gate.wait()
                    }
                ])
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await relay.run() }
                _ = try await test.value("SELECT \(test.name).enqueue('d', 'x')", as: Int64.self)
                await entered.wait()
                var limits = OutboxDoctor.Limits()
                limits.silence = .zero
                try await eventually("it is seen") {
                    try await self.troubles("relay", test, limits: limits).contains {
                        $0.severity == .error && $0.advice?.contains("pg_terminate_backend") == true
                    }
                }
                gate.open()
                relay.stop()
                try await group.waitForAll()
            }
        }
    }
}
