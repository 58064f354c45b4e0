import OutboxMigrations
import Testing

@testable import OutboxPostgres

/// What else can be in a database and in a schema.
@Suite(.timeLimit(.minutes(10))) struct SchemaNeighboursTests {
    @Test(arguments: [
        "Ünusual name", "a\"b", "it's", "select", "back\\slash", "a\"\u{301}b", "it'\u{301}s", "%s $1 --", "\u{1F4E6}",
        "a.b", "dollar$outbox", "\"", "'",
    ])
    func everyNameIsAName(prefix: String) async throws {
        try await withTestOutbox(prefix: prefix) { outbox in
            let migrator = OutboxMigrator(schema: outbox.schema)
            let status = try await migrator.status(on: outbox.connection)
            #expect(status[0].isApplied)
            #expect(
                try await outbox.connection.query("SELECT FROM pg_namespace WHERE nspname = \(outbox.schema.name)")
                    .rowCount == 1)
            let id = try await outbox.value("SELECT \(outbox.name).enqueue('there', 'text')", as: Int64.self)
            #expect(id == 1)
            try await outbox.connection.execute(
                script: "INSERT INTO \(outbox.name).deferred (id, created_at, destination, payload) "
                    + "VALUES (1, now(), 'there', '')")
            try await migrator.down(to: 0, on: outbox.connection)
        }
    }

    @Test func twoOutboxesDoNotSeeEachOther() async throws {
        try await withTestOutbox(prefix: "one") { one in
            try await withTestOutbox(prefix: "two") { two in
                _ = try await one.value("SELECT \(one.name).enqueue('there', 'text')", as: Int64.self)
                #expect(try await two.value("SELECT count(*) FROM \(two.name).message", as: Int.self) == 0)
                try await OutboxMigrator(schema: one.schema).down(to: 0, on: one.connection)
                #expect(try await two.value("SELECT \(two.name).enqueue('there', 'text')", as: Int64.self) == 1)
            }
        }
    }

    @Test func livesBesideOthersInASchema() async throws {
        try await withTestOutbox(migrated: false) { outbox in
            try await outbox.connection.execute(
                script: "CREATE SCHEMA \(outbox.name); CREATE TABLE \(outbox.name).account (id int)")
            let migrator = OutboxMigrator(schema: outbox.schema)
            #expect(try await migrator.status(on: outbox.connection).map(\.state).allSatisfy { $0 == .pending })
            try await migrator.up(on: outbox.connection)
            try await migrator.down(to: 0, on: outbox.connection)
            // The neighbour's table outlives the outbox.
            #expect(try await outbox.value("SELECT count(*) FROM \(outbox.name).account", as: Int.self) == 0)
            #expect(
                try await outbox.value(
                    "SELECT count(*) FROM pg_class WHERE relnamespace = '\(outbox.schema.identifierText)'::regnamespace",
                    as: Int.self) == 1)
            #expect(
                try await outbox.value(
                    "SELECT count(*) FROM pg_proc WHERE pronamespace = '\(outbox.schema.identifierText)'::regnamespace",
                    as: Int.self) == 0)
        }
    }

    @Test func doesNotPullAwayWhatOthersBuiltUponIt() async throws {
        try await withTestOutbox { outbox in
            try await outbox.connection.execute(
                script: "CREATE VIEW \(outbox.name).recent AS SELECT id FROM \(outbox.name).message")
            let error = await #expect(throws: LibPQError.self) {
                try await OutboxMigrator(schema: outbox.schema).down(to: 0, on: outbox.connection)
            }
            #expect(error?.sqlState == "2BP01")
            // Each step is a transaction of its own: the ones before it are made again.
            #expect(
                try await !OutboxMigrator(schema: outbox.schema).up(on: outbox.connection).contains { $0.version == 1 })
            #expect(try await outbox.value("SELECT \(outbox.name).enqueue('there', 'text')", as: Int64.self) == 1)
        }
    }

    @Test(arguments: ["migration (version text)", "message (id int)", "migration (version int, name text)"])
    func refusesASchemaWithTablesOfOthersInItsPlace(table: String) async throws {
        try await withTestOutbox(migrated: false) { outbox in
            try await outbox.connection.execute(
                script: "CREATE SCHEMA \(outbox.name); CREATE TABLE \(outbox.name).\(table)")
            let migrator = OutboxMigrator(schema: outbox.schema)
            let up = await #expect(throws: OutboxError.self) { try await migrator.up(on: outbox.connection) }
            #expect(up?.code == .schemaOccupied)
            let down = await #expect(throws: OutboxError.self) { try await migrator.down(to: 0, on: outbox.connection) }
            #expect(down?.code == .schemaOccupied)
            let status = await #expect(throws: OutboxError.self) { try await migrator.status(on: outbox.connection) }
            #expect(status?.code == .schemaOccupied)
        }
    }

    @Test func aRoleThatOwnsTheSchemaNeedsNoPrivilegeOnTheDatabase() async throws {
        try await withTestOutbox(migrated: false) { outbox in
            try await outbox.withRole { role in
                let connection = try await outbox.connect(as: role)
                let migrator = OutboxMigrator(schema: outbox.schema)
                let error = await #expect(throws: OutboxError.self) { try await migrator.up(on: connection) }
                #expect(error?.code == .privilege)
                try await outbox.connection.execute(script: "CREATE SCHEMA \(outbox.name) AUTHORIZATION \"\(role)\"")
                #expect(try await migrator.up(on: connection).count == Migrations.all.count)
                #expect(try await migrator.down(to: 0, on: connection).count == Migrations.all.count)
                await connection.close()
            }
        }
    }

    @Test func sessionSettingsMakeNoDifference() async throws {
        try await withTestOutbox(prefix: "back\\slash's", migrated: false) { outbox in
            try await outbox.connection.execute(
                script: """
                    SET standard_conforming_strings = off; SET search_path = pg_temp;
                    SET default_transaction_isolation = serializable; SET check_function_bodies = off
                    """)
            try await OutboxMigrator(schema: outbox.schema).up(on: outbox.connection)
            #expect(try await outbox.value("SHOW search_path", as: String.self) == "pg_temp")
            #expect(try await outbox.value("SELECT \(outbox.name).enqueue('there', 'text')", as: Int64.self) == 1)
        }
    }
}
