import OutboxMigrations
import Testing

@testable import OutboxPostgres

@Suite struct MigratorTests {
    @Test func createsAndRemovesTheSchema() async throws {
        try await withTestOutbox(migrated: false) { outbox in
            let migrator = Migrator(schema: outbox.schema)
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
            #expect(try await Migrator(schema: outbox.schema).up(on: outbox.connection).isEmpty)
            try await outbox.connection.execute(script: outbox.schema.down)
            #expect(try await Migrator(schema: outbox.schema).up(on: outbox.connection).count == Migrations.all.count)
        }
    }

    @Test func eightMigratorsApplyEachStepOnce() async throws {
        try await withTestOutbox(migrated: false) { outbox in
            let migrations = Migrations.all + [Self.addingColumn, Self.failing(false)]
            let steps = try await withThrowingTaskGroup(of: [MigrationStep].self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        let connection = try await outbox.connect()
                        let migrator = Migrator(schema: outbox.schema, migrations: migrations)
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
            let broken = Migrator(
                schema: outbox.schema, migrations: Migrations.all + [Self.addingColumn, Self.failing(true)])
            let error = await #expect(throws: PostgresError.self) { try await broken.up(on: outbox.connection) }
            #expect(error?.sqlState == "22012")
            let version = try await outbox.value("SELECT max(version) FROM \(outbox.name).migration", as: Int.self)
            #expect(version == Self.newest + 1)
            let mended = Migrator(
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
            let old = Migrator(schema: outbox.schema)
            let edited = Migrations.File(
                version: 1, name: "outbox", up: Migrations.all[0].up + "--", down: Migrations.all[0].down)
            let new = Migrator(
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
            #expect(newer?.code == .schemaNewer)
            let status = try await old.status(on: outbox.connection)
            #expect(status.last?.isUnknown == true)
        }
    }

    private static let newest = OutboxSchema.currentVersion

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
