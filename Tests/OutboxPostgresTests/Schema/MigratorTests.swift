import Logging
import Outbox
import OutboxMigrations
import OutboxSQL
import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(10))) struct MigratorTests {
    @Test func createsAndRemovesTheSchema() async throws {
        try await withTestOutbox(migrated: false) { outbox in
            let migrator = OutboxMigrator(schema: outbox.schema)
            #expect(try await migrator.status(on: outbox.connection).map(\.state).allSatisfy { $0 == .pending })
            var reported: [MigrationStep] = []
            let steps = try await migrator.up(on: outbox.connection) { reported.append($0) }
            #expect(steps == Migrations.all.map { MigrationStep(version: $0.version, name: $0.name, direction: .up) })
            #expect(reported == steps)
            let status = try await migrator.status(on: outbox.connection)
            #expect(status.count == Migrations.all.count && status.allSatisfy(\.isApplied))
            #expect(try await migrator.up(on: outbox.connection).isEmpty)

            let undone = try await migrator.down(to: 0, on: outbox.connection)
            let reverse = Migrations.all.reversed()
            #expect(undone == reverse.map { MigrationStep(version: $0.version, name: $0.name, direction: .down) })
            let text = outbox.schema.identifierText
            #expect(try await outbox.value("SELECT to_regnamespace('\(text)') IS NULL", as: Bool.self))
            #expect(try await migrator.down(to: 0, on: outbox.connection).isEmpty)
        }
    }

    @Test func scriptIsWhatTheMigratorApplies() async throws {
        try await withTestOutbox(migrated: false) { outbox in
            try await outbox.connection.execute(script: outbox.schema.sql)
            #expect(try await OutboxMigrator(schema: outbox.schema).up(on: outbox.connection).isEmpty)
            try await outbox.connection.execute(script: outbox.schema.down)
            #expect(
                try await OutboxMigrator(schema: outbox.schema).up(on: outbox.connection).count == Migrations.all.count)
        }
    }

    @Test func eightMigratorsApplyEachStepOnce() async throws {
        try await withTestOutbox(migrated: false) { outbox in
            let migrations = Migrations.all + [Self.addingColumn, Self.failing(false)]
            let steps = try await withThrowingTaskGroup(of: [MigrationStep].self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        let connection = try await outbox.connect()
                        let migrator = OutboxMigrator(schema: outbox.schema, migrations: migrations)
                        let steps = try await migrator.up(on: connection)
                        await connection.close()
                        return steps
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(steps.map(\.version).sorted() == migrations.map(\.version))
            #expect(
                try await outbox.value("SELECT count(*) FROM \(outbox.name).migration", as: Int.self)
                    == migrations.count)
        }
    }

    @Test func aStepThatFailsLeavesTheVersionBefore() async throws {
        try await withTestOutbox(migrated: false) { outbox in
            let broken = OutboxMigrator(
                schema: outbox.schema, migrations: Migrations.all + [Self.addingColumn, Self.failing(true)])
            let error = await #expect(throws: LibPQError.self) { try await broken.up(on: outbox.connection) }
            #expect(error?.sqlState == "22012")
            let version = try await outbox.value("SELECT max(version) FROM \(outbox.name).migration", as: Int.self)
            #expect(version == Self.newest + 1)
            let mended = OutboxMigrator(
                schema: outbox.schema, migrations: Migrations.all + [Self.addingColumn, Self.failing(false)])
            #expect(try await mended.up(on: outbox.connection).map(\.version) == [Self.newest + 2])
            #expect(
                try await mended.down(to: Self.newest, on: outbox.connection).map(\.version)
                    == [Self.newest + 2, Self.newest + 1])
            #expect(
                try await outbox.value(
                    "SELECT count(*) FROM pg_attribute WHERE attname = 'colour' AND NOT attisdropped AND attrelid = "
                        + "'\(outbox.schema.identifierText).stream'::regclass", as: Int.self) == 0)
            #expect(
                try await mended.status(on: outbox.connection).map(\.version)
                    == Migrations.all.map(\.version) + [Self.newest + 1, Self.newest + 2])
        }
    }

    @Test func driftIsReportedAndRefused() async throws {
        try await withTestOutbox { outbox in
            let old = OutboxMigrator(schema: outbox.schema)
            let edited = Migrations.File(
                version: 1, name: "outbox", up: Migrations.all[0].up + "--", down: Migrations.all[0].down)
            let new = OutboxMigrator(
                schema: outbox.schema, migrations: [edited] + Migrations.all.dropFirst() + [Self.addingColumn])
            let drift = try await new.status(on: outbox.connection)
            #expect(drift[0].isDrifted)
            let error = await #expect(throws: OutboxError.self) { try await new.up(on: outbox.connection) }
            #expect(error?.code == .drift)
            // The error's advice works.
            let advice = try #require(error?.message.split(separator: "accept it: ").last)
            try await outbox.connection.execute(script: String(advice))
            #expect(try await new.up(on: outbox.connection).map(\.version) == [Self.newest + 1])

            let newer = await #expect(throws: OutboxError.self) { try await old.up(on: outbox.connection) }
            #expect(newer?.code == .schemaTooNew)
            let status = try await old.status(on: outbox.connection)
            #expect(status.last?.isUnknown == true)
        }
    }

    /// A migration that drops an object and creates another of its name takes the privileges with it, and gets them back: on a
    /// function with other parameters, on a view, on columns that are still there, with the right to grant them on.
    @Test func rolesKeepWhatTheyMayDoWithWhatIsReplaced() async throws {
        try await withTestOutbox(prefix: "it's \"granted\"") { outbox in
            try await outbox.withRole { role in
                try await outbox.withRole { other in
                    let name = outbox.name
                    try await outbox.connection.execute(
                        script: """
                            \(outbox.schema.grants(producer: role, monitor: other))
                            REVOKE ALL ON ALL FUNCTIONS IN SCHEMA \(name) FROM PUBLIC;
                            CREATE TABLE \(name).price (colour text, size int, gone int);
                            CREATE TABLE \(name).item (colour text, size int);
                            GRANT SELECT (colour), INSERT (colour, size) ON \(name).item TO "\(role)";
                            GRANT SELECT (colour), UPDATE (size, gone) ON \(name).price TO "\(role)" WITH GRANT OPTION;
                            GRANT INSERT ON \(name).price TO "\(other)";
                            """)
                    let privileges = LibPQStatement(outbox.schema.migrationStatements.privileges)
                    func granted() async throws -> Set<String> {
                        let snapshot = try PrivilegeSnapshot(try await outbox.connection.query(privileges))
                        return Set(
                            snapshot.states.flatMap { state in
                                state.entries.map { "\(state.object.name) \(state.object.column ?? "") \($0)" }
                            })
                    }
                    let before = try await granted()
                    let migrator = OutboxMigrator(schema: outbox.schema, migrations: Migrations.all + [Self.replacing])
                    try await migrator.up(on: outbox.connection)
                    let lost = before.filter { $0.contains("price gone") }
                    #expect(lost.count == 1)
                    #expect(try await granted() == before.subtracting(lost))
                    // And on the way back.
                    try await migrator.down(to: Self.newest, on: outbox.connection)
                    #expect(try await granted() == before.subtracting(lost))
                    // What was closed to every role is closed again.
                    let open = try await outbox.value(
                        """
                        SELECT count(*) FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner)))
                        WHERE pronamespace = '\(outbox.schema.identifierText)'::regnamespace AND grantee = 0
                        """, as: Int.self)
                    #expect(open == 0)
                    let connection = try await outbox.connect(as: role)
                    let enqueued = PostgresOutbox(schema: outbox.schema)
                    try await connection.withTransaction { transaction in
                        _ = try await enqueued.enqueue(NewMessage(to: "d", text: "x"), in: transaction)
                    }
                    await connection.close()
                }
            }
        }
    }

    /// The program of the version before goes on with a schema that was only added to, and refuses another.
    @Test(arguments: [true, false]) func anAdditiveMigrationIsNoEndForTheVersionBefore(isAdditive: Bool) async throws {
        try await withTestOutbox { outbox in
            let addition = Migrations.File(
                version: Self.newest + 1, name: "addition", readableBy: isAdditive ? Self.newest : nil,
                up: Self.addingColumn.up, down: Self.addingColumn.down)
            try await OutboxMigrator(schema: outbox.schema, migrations: Migrations.all + [addition]).up(
                on: outbox.connection)
            let store = PostgresStore(postgres: try await outbox.configuration(), schema: outbox.schema)
            let uses: [@Sendable () async throws -> Void] = [
                { _ = try await OutboxMigrator(schema: outbox.schema).up(on: outbox.connection) },
                { _ = try await OutboxInspector(schema: outbox.schema).status(on: outbox.connection) },
                { _ = try await OutboxJanitor(schema: outbox.schema).run(on: outbox.connection) },
                {
                    do {
                        let session = try await store.openSession(subscription: "main", logger: Logger(label: "test"))
                        await session.close()
                    } catch let error as RelayError {
                        throw error.underlying ?? error
                    }
                },
            ]
            for use in uses {
                if isAdditive {
                    try await use()
                } else {
                    let error = await #expect(throws: OutboxError.self) { try await use() }
                    #expect(error?.code == .schemaTooNew)
                }
            }
            let statuses = try await OutboxMigrator(schema: outbox.schema).status(on: outbox.connection)
            #expect(statuses.last?.isUnknown == true && statuses.last?.isReadable == isAdditive)
        }
    }

    private static let newest = OutboxSchema.currentVersion

    private static let replacing = Migrations.File(
        version: newest + 1, name: "replacing",
        up: """
            DROP FUNCTION {{schema}}.enqueue(text, text, text, text, jsonb, timestamptz, jsonb, text, interval);
            CREATE FUNCTION {{schema}}.enqueue(destination text, payload text, colour integer) RETURNS bigint
            LANGUAGE sql RETURN 1;
            DROP VIEW {{schema}}.lag; DROP FUNCTION {{schema}}.stream_lag();
            CREATE FUNCTION {{schema}}.stream_lag() RETURNS bigint LANGUAGE sql SECURITY DEFINER RETURN 1;
            ALTER TABLE {{schema}}.item DROP COLUMN colour; ALTER TABLE {{schema}}.item ADD COLUMN colour text;
            CREATE VIEW {{schema}}.lag AS SELECT 1 AS one;
            DROP TABLE {{schema}}.price; CREATE TABLE {{schema}}.price (size int, colour text);

            """,
        down: """
            DROP FUNCTION {{schema}}.enqueue(text, text, integer);
            CREATE FUNCTION {{schema}}.enqueue(destination text, payload text) RETURNS bigint LANGUAGE sql RETURN 1;
            DROP VIEW {{schema}}.lag; CREATE VIEW {{schema}}.lag AS SELECT 2 AS two;

            """)

    private static let addingColumn = Migrations.File(
        version: newest + 1, name: "colour", up: "ALTER TABLE {{schema}}.stream ADD COLUMN colour text;\n",
        down: "ALTER TABLE {{schema}}.stream DROP COLUMN colour;\n")

    private static func failing(_ fails: Bool) -> Migrations.File {
        Migrations.File(
            version: newest + 2, name: "division",
            up: "ALTER TABLE {{schema}}.stream ADD COLUMN size int; SELECT 1 / \(fails ? 0 : 1);\n",
            down: "ALTER TABLE {{schema}}.stream DROP COLUMN size;\n")
    }
}

extension MigrationStatus {
    var isApplied: Bool { if case .applied = self.state { true } else { false } }
    var isDrifted: Bool { if case .drifted = self.state { true } else { false } }
    var isUnknown: Bool { if case .unknown = self.state { true } else { false } }
}
