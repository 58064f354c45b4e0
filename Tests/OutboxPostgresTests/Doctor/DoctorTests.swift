import Foundation
import Outbox
import OutboxTestServers
import TestSupport
import Testing

@testable import OutboxPostgres

/// What a doctor sees of a real server.
@Suite(.timeLimit(.minutes(10))) struct DoctorTests {
    private func findings(
        _ test: TestOutbox, as role: String? = nil, roles: OutboxDoctor.Roles = .init(),
        limits: OutboxDoctor.Limits = .init()
    ) async throws -> [DoctorFinding] {
        try await OutboxDoctor(schema: test.schema, roles: roles, limits: limits).examine(test.configuration(of: role))
    }

    /// What a check has found that is not as it should be.
    private func troubles(_ check: String, _ findings: [DoctorFinding]) -> [DoctorFinding] {
        findings.filter { $0.check == check && $0.severity != .ok }
    }

    /// The statements that are its advice, run.
    private func follow(_ findings: [DoctorFinding], _ test: TestOutbox) async throws {
        for finding in findings {
            let advice = try #require(finding.advice)
            try await test.connection.execute(script: advice.replacing("As the owner of the schema: ", with: ""))
        }
    }

    @Test func ofAnOutboxThatIsWellThereIsNothingToSay() async throws {
        try await withTestOutbox(prefix: "it's \"well\"") { test in
            let relay = try await Relay(
                postgres: test.configuration(), outbox: test.schema, routes: ["here": .handler { _ in }])
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await relay.run() }
                let inspector = OutboxInspector(schema: test.schema)
                try await eventually("the relay works") { try await inspector.status(on: test.connection).relay != nil }
                // Other tests hold transactions open on this server.
                let findings = try await self.findings(test).filter { $0.check != "xmin" && $0.check != "server" }
                #expect(findings.allSatisfy { $0.severity == .ok && $0.advice == nil }, "\(findings)")
                #expect(
                    findings.map(\.check) == [
                        "pooler", "clock", "queue", "schema", "objects", "privileges", "numbers", "locks", "doorbell",
                        "autovacuum",
                        "segments", "relay", "delivery",
                    ])
                relay.stop()
                try await group.waitForAll()
            }
        }
    }

    /// A relay that sleeps is not woken by the ring: its session sends nothing. A ring of another kind does wake it.
    @Test func theRingDisturbsNobody() async throws {
        try await withTestOutbox { test in
            let store = try await PostgresStore(
                postgres: test.configuration(), schema: test.schema, wakeup: .notify(fallback: nil), segments: nil)
            var settings = RelaySettings()
            // Of the looks of a keeper that is alone none comes meanwhile, however slow the machine is.
            settings.standbyInterval = .seconds(60)
            let relay = Relay(store: store, routes: ["here": .handler { _ in }], settings: settings)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await relay.run() }
                let inspector = OutboxInspector(schema: test.schema)
                try await eventually("the relay sleeps") {
                    try await inspector.status(on: test.connection).relay?.isAsleep == true
                }
                let relayProcess = try #require(try await inspector.status(on: test.connection).relay?.processID)
                func lastStatement() async throws -> Date {
                    try await test.connection.query(
                        "SELECT query_start FROM pg_stat_activity WHERE pid = \(relayProcess)")[0].decode(0)
                }
                // A while after it has come it looks for other relays once more.
                try await eventually("it has looked again") {
                    try await test.connection.query("SELECT query FROM pg_stat_activity WHERE pid = \(relayProcess)")[0]
                        .decode(0, as: String.self).contains("holder.pid")
                }
                let before = try await lastStatement()
                for _ in 0..<5 {
                    #expect(self.troubles("doorbell", try await self.findings(test)).isEmpty)
                }
                #expect(try await lastStatement() == before)
                // The same look sees a relay that was woken.
                let log = try await test.value(
                    "SELECT '\(test.schema.identifierText).message'::regclass::oid", as: Int64.self)
                try await test.connection.query("SELECT pg_notify(\("outbox_\(log)"), '')")
                try await eventually("the relay was woken") { try await lastStatement() > before }
                relay.stop()
                try await group.waitForAll()
            }
        }
    }

    @Test func aSchemaThatIsMissingOrHasDrifted() async throws {
        try await withTestOutbox(migrated: false) { test in
            let missing = try await self.findings(test)
            #expect(missing.last?.check == "schema" && missing.last?.severity == .error)
            #expect(missing.last?.remedy == .createSchema)
            try await OutboxMigrator(schema: test.schema).up(on: test.connection)
            #expect(self.troubles("schema", try await self.findings(test)).isEmpty)
            try await test.connection.execute(
                script: "UPDATE \(test.name).migration SET checksum = 'x' WHERE version = 1")
            let drifted = self.troubles("schema", try await self.findings(test))
            #expect(drifted.map(\.severity) == [.warning] && drifted[0].seen.contains("version 1"))
            try await test.connection.execute(script: "DELETE FROM \(test.name).migration")
            #expect(
                self.troubles("schema", try await self.findings(test)).contains {
                    $0.seen.contains(".migration is empty")
                })
            try await OutboxMigrator(schema: test.schema).up(on: test.connection)
            // A later version that this program works with, and one that it does not.
            let later = OutboxSchema.currentVersion + 1
            for (readableBy, severity) in [(later - 1, DoctorFinding.Severity.ok), (later, .error)] {
                try await test.connection.execute(
                    script: """
                        DELETE FROM \(test.name).migration WHERE version = \(later);
                        INSERT INTO \(test.name).migration (version, name, checksum, readable_by) VALUES (\(later), 'later', 'x', \(readableBy))
                        """)
                let newer = try await self.findings(test).filter { $0.check == "schema" }
                #expect(
                    newer.map(\.severity) == [severity] && newer[0].seen.contains("version \(later) (later) is newer"))
            }
        }
    }

    /// Each is seen, and what is advised mends it, where a statement can.
    @Test func objectsThatAreNotAsTheyWereMade() async throws {
        try await withTestOutbox(prefix: "it's \"broken\"") { test in
            try await test.connection.execute(
                script: """
                    ALTER TABLE \(test.name).message DISABLE TRIGGER doorbell;
                    ALTER TABLE \(test.name).deferred DISABLE TRIGGER doorbell;
                    UPDATE pg_index SET indisvalid = false WHERE indexrelid = '\(test.schema.identifierText).deferred_due'::regclass
                    """)
            let broken = self.troubles("objects", try await self.findings(test))
            #expect(broken.count == 3 && broken.allSatisfy { $0.severity == .error })
            try await self.follow(broken, test)
            #expect(self.troubles("objects", try await self.findings(test)).isEmpty)
            try await test.connection.execute(
                script: """
                    DROP TRIGGER generation ON \(test.name).stream; DROP INDEX \(test.name).message_xid;
                    DROP TABLE \(test.name).message_3;
                    ALTER TABLE \(test.name).message DROP CONSTRAINT message_is_valid
                    """)
            let gone = self.troubles("objects", try await self.findings(test))
            #expect(gone.count == 4 && gone.allSatisfy { $0.seen.contains("is missing") })
        }
    }

    /// Of each single privilege that is granted, it is seen when it is missing, and the advice grants what was taken.
    @Test func everyPrivilegeThatIsMissing() async throws {
        try await withTestOutbox(prefix: "it's \"granted\"") { test in
            try await test.withRole { role in
                for (kind, grants) in [
                    ("producer", Grant.producer), ("relay", Grant.relay), ("monitor", Grant.monitor),
                ] {
                    var roles = OutboxDoctor.Roles()
                    switch kind {
                    case "producer": roles.producer = role
                    case "relay": roles.relay = role
                    default: roles.monitor = role
                    }
                    func missing() async throws -> [DoctorFinding] {
                        let doctor = OutboxDoctor(schema: test.schema, roles: roles)
                        return self.troubles("privileges", try await doctor.privileges(test.connection))
                    }
                    // As an administrator that revokes everything that is not granted.
                    try await test.connection.execute(
                        script: "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA \(test.name) FROM PUBLIC")
                    let none = try await missing()
                    #expect(none.map(\.severity) == [.error])
                    try await self.follow(none, test)
                    #expect(try await missing() == [], "\(kind)")
                    for grant in grants {
                        for privilege in grant.privileges {
                            var single = grant
                            single.privileges = [privilege]
                            let statement = single.statement(to: "\"\(role)\"", in: test.schema)
                            // Of columns, one is enough to be missed.
                            single.privileges[0].columns = Array(privilege.columns.suffix(1))
                            try await test.connection.execute(
                                script: single.statement(to: "\"\(role)\"", in: test.schema).replacing(
                                    "GRANT ", with: "REVOKE ", maxReplacements: 1
                                )
                                .replacing(" TO \"\(role)\"", with: " FROM \"\(role)\""))
                            let lacking = try await missing()
                            #expect(lacking.count == 1, "\(statement)")
                            #expect(lacking.first?.severity == (grant.isEssential ? .error : .warning), "\(statement)")
                            #expect(lacking.first?.advice == "As the owner of the schema: \(statement)")
                            try await self.follow(lacking, test)
                            #expect(try await missing() == [], "\(statement)")
                        }
                    }
                    try await test.connection.execute(script: "DROP OWNED BY \"\(role)\" CASCADE")
                }
                let unknown = OutboxDoctor(schema: test.schema, roles: .init(relay: "nobody of this name"))
                #expect(try await unknown.privileges(test.connection).map(\.severity) == [.error])
            }
        }
    }

    /// A role that may not use the schema sees nothing of it, and yet learns what to grant: a relay with that role cannot work.
    @Test func aRoleThatMayNotUseTheSchema() async throws {
        try await withTestOutbox(prefix: "it's \"hidden\"") { test in
            try await test.withRole { role in
                let hidden = self.troubles("privileges", try await self.findings(test, as: role))
                #expect(hidden.map(\.severity) == [.error], "\(hidden)")
                #expect(hidden.first?.seen.contains("it lacks USAGE on the schema, so") == true, "\(hidden)")
                try await self.follow(hidden, test)
                #expect(self.troubles("privileges", try await self.findings(test, as: role)).isEmpty)
                // Of another role, a role that may not look learns only that it may not.
                try await test.connection.execute(script: "REVOKE USAGE ON SCHEMA \(test.name) FROM \"\(role)\"")
                let owner = try await test.value("SELECT current_user::text", as: String.self)
                let other = try await self.findings(test, as: role, roles: .init(relay: owner))
                #expect(self.troubles("privileges", other).map(\.severity) == [.warning])
                let seen = self.troubles("privileges", try await self.findings(test, roles: .init(relay: role)))
                #expect(seen.first?.seen.hasSuffix("it lacks USAGE on the schema") == true, "\(seen)")
            }
        }
    }

    /// Neither a relay's nor a monitor's role needs more than its grants for any check.
    @Test(arguments: [true, false]) func itNeedsNoMoreThanTheGrants(asRelay: Bool) async throws {
        try await withTestOutbox { test in
            try await test.withRole { role in
                try await test.connection.execute(
                    script: asRelay ? test.schema.grants(relay: role) : test.schema.grants(monitor: role))
                let roles = asRelay ? OutboxDoctor.Roles(relay: role) : OutboxDoctor.Roles(monitor: role)
                var limits = OutboxDoctor.Limits()
                // With messages in all segments, which is when the most is looked at.
                limits.retention = .zero
                try await test.connection.execute(
                    script: """
                        SELECT \(test.name).enqueue('here', 'x');
                        SELECT setval('\(test.schema.identifierText).segment_number', 3);
                        UPDATE \(test.name).segment SET is_current = (number = 3);
                        SELECT \(test.name).enqueue('here', 'x');
                        INSERT INTO \(test.name).message (destination, payload, segment) VALUES ('here', '', 1), ('here', '', 2);
                        """)
                let findings = try await self.findings(test, as: role, roles: roles, limits: limits)
                #expect(!findings.contains { $0.severity == .error || $0.seen.contains("may not") }, "\(findings)")
                #expect(self.troubles("segments", findings).first?.seen.contains("has not passed") == true)
            }
        }
    }

    @Test func segmentsThatNobodyLooksAfter() async throws {
        try await withTestOutbox { test in
            func segments() async throws -> String {
                let troubles = self.troubles("segments", try await self.findings(test))
                return troubles.map(\.seen).joined()
            }
            _ = try await test.value("SELECT \(test.name).enqueue('here', 'x')", as: Int64.self)
            #expect(try await segments() == "")
            try await test.connection.execute(
                script: "UPDATE \(test.name).segment SET since = now() - interval '25 hours'")
            #expect(try await segments().contains("though segment"))
            // The ring has gone round: what comes next is still there.
            try await test.connection.execute(
                script: """
                    SELECT setval('\(test.schema.identifierText).segment_number', 3);
                    UPDATE \(test.name).segment SET is_current = (number = 3);
                    SELECT \(test.name).enqueue('here', 'x');
                    """)
            #expect(try await segments().contains("though segment 1 is empty"))
            try await test.connection.execute(
                script:
                    "INSERT INTO \(test.name).message (destination, payload, segment) VALUES ('here', '', 1), ('here', '', 2)"
            )
            #expect(try await segments().contains("has not passed"))
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).stream (destination, snapshot, position, horizon)
                    VALUES ('here', pg_current_snapshot(), \(test.name).last_id(), pg_current_xact_id())
                    """)
            #expect(try await segments().contains("have passed, is not emptied"))
        }
    }

    @Test func autovacuumThatIsOff() async throws {
        try await withTestOutbox(prefix: "it's \"off\"") { test in
            try await test.connection.execute(
                script: """
                    ALTER TABLE \(test.name).stream SET (autovacuum_enabled = off);
                    ALTER TABLE \(test.name).message_2 SET (autovacuum_enabled = false)
                    """)
            let off = self.troubles("autovacuum", try await self.findings(test))
            #expect(off.count == 2)
            try await self.follow(off, test)
            #expect(self.troubles("autovacuum", try await self.findings(test)).isEmpty)
        }
    }

    @Test func whatIsNotDelivered() async throws {
        try await withTestOutbox { test in
            _ = try await test.value("SELECT \(test.name).enqueue('nobody', 'x')", as: Int64.self)
            try await test.connection.execute(
                script: """
                    INSERT INTO \(test.name).stream (destination, snapshot, position, horizon, paused_at)
                    VALUES ('here', pg_current_snapshot(), 0, pg_current_xact_id(), now())
                    """)
            let seen = self.troubles("relay", try await self.findings(test)).map(\.seen)
            #expect(seen.count == 3)
            #expect(seen[0].hasPrefix("none is working") && seen[1].contains("nobody") && seen[2].contains("paused"))
        }
    }
}

/// What holds up vacuum, on a server of its own: others would be seen as well.
@Suite(.timeLimit(.minutes(10))) struct DoctorXminTests {
    @Test func everyHolderOfXminIsNamed() async throws {
        try await EphemeralPostgres.with(
            .init(parameters: ["max_prepared_transactions": "5", "wal_level": "logical", "fsync": "off"])
        ) { server in
            let postgres = try LibPQConfiguration(server.url)
            let connection = try await LibPQConnection.connect(postgres)
            var limits = OutboxDoctor.Limits()
            limits.transactionAge = .zero
            limits.transactions = 1
            let doctor = OutboxDoctor(limits: limits)
            #expect(try await doctor.xmin(connection).map(\.severity) == [.ok])

            let idle = try await LibPQConnection.connect(postgres)
            try await idle.execute(script: "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
            // A slot waits until the transactions that run have ended, so it comes before those that write.
            try await connection.execute(script: "SELECT pg_create_logical_replication_slot('unread', 'pgoutput')")
            let preparing = try await LibPQConnection.connect(postgres)
            try await preparing.execute(script: "BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'it''s mine'")
            try await connection.execute(script: "CREATE TABLE t (); DROP TABLE t")

            let found = try await doctor.xmin(connection)
            #expect(found.count == 3 && found.allSatisfy { $0.severity == .warning && $0.check == "xmin" }, "\(found)")
            #expect(found.contains { $0.seen.hasPrefix("idle transaction server process \(idle.processID)") })
            #expect(found.contains { $0.seen.contains("replication slot without a reader unread") })
            let prepared = found.first { $0.seen.hasPrefix("prepared transaction 'it''s mine'") }
            #expect(prepared?.advice?.contains("ROLLBACK PREPARED 'it''s mine'") == true)
            // What is younger than the limits is no trouble.
            #expect(try await OutboxDoctor().xmin(connection).map(\.severity) == [.ok])

            try await connection.execute(script: "ROLLBACK PREPARED 'it''s mine'")
            try await connection.execute(script: "SELECT pg_drop_replication_slot('unread')")
            await idle.close()
            try await eventually("nothing is held any more") {
                try await doctor.xmin(connection).map(\.severity) == [.ok]
            }
            await preparing.close()
            await connection.close()
        }
    }
}
