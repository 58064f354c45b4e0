import Foundation
import Outbox
import OutboxTestServers
import TestSupport
import Testing

@testable import OutboxPostgres

/// What an outbox is after a dump and a restore, after a dump of its structure alone, and after a table was emptied.
@Suite(.timeLimit(.minutes(10))) struct DumpTests {
    /// Two databases, the first with an outbox in which some messages are delivered and some wait.
    private func withDatabases(
        template: String = "",
        _ body: (_ origin: TestOutbox, _ copy: LibPQConfiguration, _ url: (String) -> String) async throws -> Void
    ) async throws {
        let server = try await TestServer.shared
        let suffix = UUID().uuidString.prefix(8).lowercased()
        let names = ["origin_\(suffix)", "copy_\(suffix)"]
        let admin = try await LibPQConnection.connect(LibPQConfiguration(server.url))
        try await admin.execute(script: "CREATE DATABASE \(names[0])")
        try await admin.execute(script: "CREATE DATABASE \(names[1]) \(template)")
        func configuration(_ name: String) throws -> LibPQConfiguration {
            var configuration = try LibPQConfiguration(server.url)
            configuration.parameters["dbname"] = name
            return configuration
        }
        let result: Result<Void, any Error>
        do {
            let connection = try await LibPQConnection.connect(configuration(names[0]))
            let origin = TestOutbox(schema: OutboxSchema(), connection: connection)
            try await OutboxMigrator(schema: origin.schema).up(on: connection)
            try await self.fill(origin, configuration(names[0]))
            try await body(origin, configuration(names[1])) { name in
                server.url.replacing("///postgres?", with: "///\(name == "origin" ? names[0] : names[1])?")
            }
            await connection.close()
            result = .success(())
        } catch {
            result = .failure(error)
        }
        for name in names { try await admin.execute(script: "DROP DATABASE \(name) WITH (FORCE)") }
        await admin.close()
        try result.get()
    }

    /// Forty are delivered, three fail for the first time, one is dead, five come after that.
    private func fill(_ outbox: TestOutbox, _ postgres: LibPQConfiguration) async throws {
        try await outbox.connection.execute(
            script: """
                SELECT outbox.enqueue('d', 'x', key => 'k' || i) FROM generate_series(1, 40) AS i;
                SELECT outbox.enqueue('d', 'later', key => 'l' || i) FROM generate_series(1, 3) AS i;
                SELECT outbox.enqueue('d', 'never', idempotency_key => 'once');
                """)
        try await self.deliver(
            outbox.schema, postgres, until: "SELECT count(*) = 4 FROM (TABLE outbox.deferred_and_dead) AS x")
        try await outbox.connection.execute(
            script: "SELECT outbox.enqueue('d', 'x', key => 'ä' || i) FROM generate_series(1, 5) AS i")
    }

    /// Runs a relay until a condition holds.
    @discardableResult
    private func deliver(
        _ schema: OutboxSchema, _ postgres: LibPQConfiguration, until condition: String
    ) async throws -> Deliveries {
        let deliveries = Deliveries()
        let relay = Relay(
            store: PostgresStore(postgres: postgres, schema: schema, wakeup: .notify(fallback: nil)),
            routes: [
                "d": .handler(retry: .constant(.seconds(3600))) { message in
                    deliveries.add(message)
                    switch String(decoding: message.payload, as: UTF8.self) {
                    case "later": throw DeliveryFailure.retry("not yet")
                    case "never": throw DeliveryFailure.reject("no")
                    default: break
                    }
                }
            ], settings: RelayBench.quick)
        let connection = try await LibPQConnection.connect(postgres)
        // Both tables, and everything passed.
        let text = condition.replacing(
            "TABLE outbox.deferred_and_dead",
            with: "SELECT id FROM outbox.deferred UNION ALL SELECT id FROM outbox.dead_letter")
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await relay.run() }
            try await eventually("the relay has come so far") {
                let rows = try await connection.query("SELECT coalesce(sum(messages), -1)::bigint FROM outbox.lag")
                if try rows[0].decode(0, as: Int64.self) != 0 { return false }
                return try await connection.query(LibPQStatement(text))[0].decode(0)
            }
            relay.stop()
            try await group.waitForAll()
        }
        await connection.close()
        return deliveries
    }

    private func run(_ program: String, _ arguments: [String]) async throws -> String {
        try await Program.run(TestServer.shared.programs + "/" + program, arguments)
    }

    /// What logical replication and a structure in version control begin with: no data, so neither the current segment nor what
    /// was applied. Messages are taken at once; migrating says again what was applied; a relay begins at the beginning.
    @Test func aDumpOfTheStructureAlone() async throws {
        try await self.withDatabases { origin, copy, url in
            let dump = try await self.run("pg_dump", ["-s", "--no-owner", url("origin")])
            let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).sql")
            try dump.write(to: file, atomically: true, encoding: .utf8)
            defer { try? FileManager.default.removeItem(at: file) }
            _ = try await self.run("psql", ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", file.path(), url("copy")])

            let connection = try await LibPQConnection.connect(copy)
            let id = try await connection.query("SELECT outbox.enqueue('d', 'x')")[0].decode(0, as: Int64.self)
            #expect(id == 1)
            let outbox = PostgresOutbox()
            try await connection.withTransaction { transaction in
                try await outbox.copy([NewMessage(to: "d", text: "x")], in: transaction)
            }
            // It is distinguished from no outbox, and from another application's tables.
            for use in [
                { _ = try await OutboxMigrator().status(on: connection) },
                { _ = try await OutboxInspector().status(on: connection) },
                { _ = try await OutboxJanitor().run(on: connection) },
                { _ = try await OutboxMigrator().down(to: 0, on: connection) },
            ] as [() async throws -> Void] {
                let error = await #expect(throws: OutboxError.self) { try await use() }
                #expect(error?.code == .schemaUnversioned)
            }
            let findings = try await OutboxDoctor().examine(copy)
            #expect(findings.contains { $0.check == "schema" && $0.severity == .error && $0.seen.contains("is empty") })

            let steps = try await OutboxMigrator().up(on: connection)
            #expect(steps.map(\.direction) == [.restored] && steps[0].version == OutboxSchema.currentVersion)
            #expect(try await OutboxMigrator().up(on: connection).isEmpty)
            #expect(try await OutboxMigrator().status(on: connection).allSatisfy { $0.isApplied })
            let deliveries = try await self.deliver(OutboxSchema(), copy, until: "SELECT true")
            #expect(deliveries.all.map(\.id).sorted() == [1, 2])
            // The first janitor makes the rows of the segments, and the ring turns.
            #expect(try await OutboxJanitor(policy: .eager).run(on: connection).advancedTo == 1)
            #expect(try await connection.query("SELECT FROM outbox.segment").rowCount == 4)
            await connection.close()
        }
    }

    /// A comment that is missing or another's leaves nothing to say it by.
    @Test func aStructureWithoutTheCommentIsNotTakenForAnOutbox() async throws {
        try await withTestOutbox { test in
            for comment in ["NULL", "'the versions of our shop'"] {
                try await test.connection.execute(
                    script: "DELETE FROM \(test.name).migration; COMMENT ON TABLE \(test.name).migration IS \(comment)")
                let error = await #expect(throws: OutboxError.self) {
                    try await OutboxMigrator(schema: test.schema).up(on: test.connection)
                }
                #expect(error?.code == .schemaOccupied)
            }
        }
    }

    /// Without owners and privileges: every role may call every function, until migrating or granting takes that back.
    @Test(arguments: ["migrate", "grants", "grants for a role"])
    func aRestoreWithoutPrivileges(mended: String) async throws {
        try await self.withDatabases { origin, copy, url in
            let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).dump")
            defer { try? FileManager.default.removeItem(at: file) }
            _ = try await self.run("pg_dump", ["-Fc", "-f", file.path(), url("origin")])
            _ = try await self.run(
                "pg_restore", ["--no-owner", "--no-acl", "--exit-on-error", "-d", url("copy"), file.path()])
            let connection = try await LibPQConnection.connect(copy)
            let test = TestOutbox(schema: OutboxSchema(), connection: connection)
            let isOpen = """
                SELECT count(*) FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner)))
                WHERE pronamespace = 'outbox'::regnamespace AND prosecdef AND grantee = 0
                """
            #expect(try await test.value(isOpen, as: Int.self) == 5)
            let open = try await OutboxDoctor().examine(copy).filter { $0.check == "objects" }
            #expect(open.count == 5 && open.allSatisfy { $0.severity == .error && $0.seen.contains("by every role") })
            try await test.withRole { role in
                switch mended {
                case "migrate":
                    let steps = try await OutboxMigrator().up(on: connection)
                    #expect(steps.map(\.direction) == [.restored])
                    #expect(steps[0].detail?.contains("outbox.truncate_segment(smallint)") == true)
                    #expect(try await OutboxMigrator().up(on: connection).isEmpty)
                case "grants": try await connection.execute(script: OutboxSchema().grants())
                default: try await connection.execute(script: OutboxSchema().grants(producer: role))
                }
                #expect(try await test.value(isOpen, as: Int.self) == 0)
            }
            // The cursors came along: what was delivered is not delivered again, what waits still does.
            let objects = try await OutboxDoctor().examine(copy).filter { $0.check == "objects" }
            #expect(objects.map(\.severity) == [.ok])
            #expect(try await test.value("SELECT outbox.enqueue('d', 'x')", as: Int64.self) == 50)
            let deliveries = try await self.deliver(
                OutboxSchema(), copy, until: "SELECT count(*) = 4 FROM (TABLE outbox.deferred_and_dead) AS x")
            #expect(deliveries.all.map(\.id).sorted() == Array(45...50))
            let again = try await test.value(
                "SELECT outbox.enqueue('d', 'x', idempotency_key => 'once')", as: Int64.self)
            #expect(again == 44)
            await connection.close()
        }
    }

    /// What another role has opened only that role can close: the migrator leaves it, once, and the doctor says whose it is.
    @Test func aFunctionThatAnotherRoleHasOpened() async throws {
        try await withTestOutbox(prefix: "it's \"open\"") { test in
            try await test.withRole { role in
                try await test.connection.execute(
                    script: """
                        GRANT USAGE ON SCHEMA \(test.name) TO "\(role)";
                        GRANT EXECUTE ON FUNCTION \(test.name).stream_lag() TO "\(role)" WITH GRANT OPTION;
                        SET ROLE "\(role)"; GRANT EXECUTE ON FUNCTION \(test.name).stream_lag() TO PUBLIC; RESET ROLE
                        """)
                #expect(try await OutboxMigrator(schema: test.schema).up(on: test.connection).isEmpty)
                let doctor = OutboxDoctor(schema: test.schema)
                let postgres = try await test.configuration()
                let open = try await doctor.examine(postgres).filter { $0.check == "objects" }
                #expect(open.count == 1 && open[0].seen.contains("by every role"))
                try await test.connection.execute(script: open[0].advice ?? "")
                #expect(try await doctor.examine(postgres).filter { $0.check == "objects" }.map(\.severity) == [.ok])
            }
        }
    }

    /// The bodies of functions name the schema.
    @Test func aSchemaThatWasRenamed() async throws {
        try await withTestOutbox { test in
            let other = try OutboxSchema(name: test.schema.name + " renamed")
            try await test.connection.execute(script: "ALTER SCHEMA \(test.name) RENAME TO \(other.identifier)")
            let found = try await OutboxDoctor(schema: other).examine(test.configuration())
            #expect(
                found.contains { $0.check == "objects" && $0.severity == .error && $0.seen.contains("another name") })
            try await test.connection.execute(script: "DROP SCHEMA \(other.identifier) CASCADE")
        }
    }

    /// A database that is not in UTF-8 takes texts that cannot be converted, and a relay reads in UTF-8: they are refused, each by
    /// its field, and the rest is delivered.
    @Test(arguments: [("SQL_ASCII", "\\377"), ("WIN1252", "\\201"), ("LATIN1", nil)])
    func anotherEncoding(encoding: String, strange: String?) async throws {
        try await self.withDatabases(template: "TEMPLATE template0 ENCODING '\(encoding)' LC_COLLATE 'C' LC_CTYPE 'C'")
        {
            _, copy, url in
            let connection = try await LibPQConnection.connect(copy)
            try await OutboxMigrator().up(on: connection)
            if let strange {
                // As a session that converts nothing sends it.
                let value = "E'\(strange)'"
                for (call, field) in [
                    ("\(value), 'x'::bytea", "destination"), ("'d', 'x'::bytea, \(value)", "key"),
                    ("'d', 'x'::bytea, 'k', \(value)", "route"),
                    ("'d', 'x'::bytea, headers => jsonb_build_object('a', \(value))", "headers"),
                ] {
                    let failure = await #expect(throws: Program.Failure.self) {
                        _ = try await self.run(
                            "psql",
                            [
                                "-X", "-v", "ON_ERROR_STOP=1", "-c", "SET client_encoding = '\(encoding)'", "-c",
                                "SELECT outbox.enqueue(\(call))", url("copy"),
                            ])
                    }
                    #expect(
                        failure?.output.contains("\(field) has a character that cannot be converted") == true, "\(call)"
                    )
                }
            }
            try await connection.query("SELECT outbox.enqueue('d', 'x', key => 'k', headers => '{\"a\":\"b\"}')")
            if encoding == "LATIN1" {
                try await connection.query("SELECT outbox.enqueue('d', 'x', key => 'ä', route => 'ö')")
            }
            let deliveries = try await self.deliver(OutboxSchema(), copy, until: "SELECT true")
            #expect(deliveries.count == (encoding == "LATIN1" ? 2 : 1))
            await connection.close()
        }
    }

    /// Into a database with another collation, another encoding, or both: the order of texts is other, the outbox's is not.
    @Test(arguments: [
        "TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'",
        "TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
        "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'de-u-co-phonebk' LOCALE 'C'",
    ])
    func anotherCollation(template: String) async throws {
        if template.contains("icu"), try await !self.hasICU() { return }
        try await self.withDatabases(template: template) { origin, copy, url in
            let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).dump")
            defer { try? FileManager.default.removeItem(at: file) }
            _ = try await self.run("pg_dump", ["-Fc", "-f", file.path(), url("origin")])
            _ = try await self.run("pg_restore", ["--exit-on-error", "-d", url("copy"), file.path()])
            let connection = try await LibPQConnection.connect(copy)
            // What is compared is compared by bytes, wherever it is.
            let other = try await connection.query(
                """
                SELECT attrelid::regclass::text || '.' || attname FROM pg_attribute
                JOIN pg_class ON pg_class.oid = attrelid
                WHERE relnamespace = 'outbox'::regnamespace AND relkind IN ('r', 'p', 'i', 'I') AND attnum > 0
                    AND attname IN ('destination', 'key', 'subscription') AND atttypid = 'text'::regtype
                    AND attcollation <> 'pg_catalog."C"'::regcollation
                """
            ).map { row in try row.decode(0, as: String.self) }
            #expect(other == [])
            let deliveries = try await self.deliver(
                OutboxSchema(), copy, until: "SELECT count(*) = 4 FROM (TABLE outbox.deferred_and_dead) AS x")
            #expect(deliveries.all.map(\.id).sorted() == Array(45...49))
            #expect(deliveries.all.map(\.key).contains("ä1"))
            // Where not all texts can be converted to UTF-8 each is looked at, which the dump does not say.
            let missing = try await OutboxDoctor().examine(copy).filter { $0.check == "objects" && $0.severity != .ok }
            #expect(missing.count == (template.contains("LATIN1") ? 1 : 0))
            for finding in missing { try await connection.execute(script: finding.advice ?? "") }
            let objects = try await OutboxDoctor().examine(copy).filter { ["schema", "objects"].contains($0.check) }
            #expect(objects.map(\.severity) == [.ok, .ok])
            await connection.close()
        }
    }

    /// Before version 15 a database cannot have a collation of ICU's, and a server that is built without it knows one at most.
    private func hasICU() async throws -> Bool {
        let server = try await TestServer.shared
        let version = try #require(try await server.psql("SHOW server_version_num").first.flatMap { Int($0) })
        let collations = try await server.psql("SELECT count(*) FROM pg_collation WHERE collprovider = 'i'")
        return version >= 150_000 && collations != ["0"] && collations != ["1"]
    }

    /// Each table in turn, under a relay at work: what it costs, and that the relay goes on.
    @Test(arguments: ["message", "segment", "stream", "deferred", "dead_letter", "idempotency", "migration"])
    func anEmptiedTable(table: String) async throws {
        try await withTestOutbox { test in
            let deliveries = Deliveries()
            let postgres = try await test.configuration()
            let store = PostgresStore(
                postgres: postgres, schema: test.schema, wakeup: .notify(fallback: nil), segments: .eager)
            let relay = Relay(
                store: store,
                routes: [
                    "d": .handler(retry: .constant(.seconds(3600))) { message in
                        deliveries.add(message)
                        if message.key == "later" { throw DeliveryFailure.retry("not yet") }
                    }
                ], settings: RelayBench.quick)
            func enqueue(_ key: String) async throws -> Int64 {
                try await test.value("SELECT \(test.name).enqueue('d', 'x', '\(key)', idempotency_key => '\(key)')")
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await relay.run() }
                let first = try await enqueue("first")
                _ = try await enqueue("later")
                try await eventually("one is delivered and one waits") {
                    try await test.value("SELECT count(*) FROM \(test.name).deferred", as: Int.self) == 1
                        && deliveries.all.contains { $0.id == first }
                }
                try await test.connection.execute(script: "TRUNCATE \(test.name).\(table)")
                let second = try await enqueue("second")
                try await eventually("what comes after it is delivered") { deliveries.all.contains { $0.id == second } }
                // Only the table of keys knows that a key was there.
                #expect(try await (enqueue("first") == first) == (table != "idempotency"))
                // Another of the key that waits overtakes nothing, unless what it waits for is gone.
                _ = try await test.value("SELECT \(test.name).enqueue('d', 'x', 'later')", as: Int64.self)
                try await eventually("it waits too, or is tried") {
                    try await test.value("SELECT count(*) FROM \(test.name).deferred", as: Int.self)
                        == (table == "deferred" ? 1 : 2)
                }
                relay.stop()
                try await group.waitForAll()
            }
            let steps = try await OutboxMigrator(schema: test.schema).up(on: test.connection)
            #expect(steps.map(\.direction) == (table == "migration" ? [.restored] : []))
            let objects = try await OutboxDoctor(schema: test.schema).examine(postgres)
            #expect(objects.filter { ["schema", "objects"].contains($0.check) }.map(\.severity) == [.ok, .ok])
            // The ring turns on.
            try await test.connection.execute(
                script: "UPDATE \(test.name).segment SET since = now() - interval '1 day'")
            _ = try await test.value("SELECT \(test.name).enqueue('d', 'x')", as: Int64.self)
            #expect(
                try await OutboxJanitor(schema: test.schema, policy: .eager).run(on: test.connection).advancedTo != nil)
        }
    }
}
