import Foundation
import OutboxPostgres
import Testing

@testable import OutboxCLI

/// `outbox schema --format`: migrations as files of other tools. `scripts/schema-tools` applies them by the tools.
@Suite(.timeLimit(.minutes(10))) struct SchemaFilesTests {
    private static let newest = OutboxSchema.currentVersion

    private func files(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    }

    /// Version by version, with messages and grants there, and back.
    @Test func stepsLeaveWhatMigrateLeaves() async throws {
        let outbox = try await TestOutbox.named()
        func step(_ from: Int, _ to: Int) async throws {
            let down = from > to ? ["--down"] : []
            let words = ["schema", "--from", "\(from)", "--to", "\(to)", "--schema", outbox.schema] + down
            try await outbox.script(try await Program.outbox(words).output)
        }
        for version in 1...Self.newest {
            try await step(version - 1, version)
            if version > 1 { continue }
            try await outbox.script(
                "SELECT {{schema}}.enqueue('d', 'x', key => 'k'); GRANT INSERT ON {{schema}}.lag TO pg_monitor")
        }
        try await outbox("migrate", "status")
        #expect(try await outbox("migrate", "up").output.contains("up to date"))
        #expect(try await outbox.count("message") == 1)
        for version in (0..<Self.newest).reversed() {
            try await step(version + 1, version)
            if version == 0 { break }
            // The view is made again on the way.
            #expect(
                try await outbox.sql("SELECT has_table_privilege('pg_monitor', '{{schema}}.lag', 'INSERT')::text") == [
                    "true"
                ])
        }
        try await outbox("migrate", "status", status: 78)
        #expect(try await outbox.sql("SELECT to_regnamespace('\(outbox.schema)')::text") == ["NULL"])
    }

    /// A step on a schema of another version says so, and changes nothing.
    @Test func aStepBeginsWithItsVersion() async throws {
        let outbox = try await TestOutbox.migrated()
        let words = ["schema", "--from", "\(Self.newest - 1)", "--schema", outbox.schema]
        let script = try await Program.outbox(words).output
        let error = await #expect(throws: LibPQError.self) { try await outbox.script(script) }
        let expected = "is at version \(Self.newest); this step begins with version \(Self.newest - 1)"
        #expect(error.map { String(reflecting: $0) }?.contains(expected) == true)
        try await outbox("migrate", "status")
    }

    /// The settings of the transaction are its own again behind a step.
    @Test func aStepPutsSettingsBack() async throws {
        let outbox = try await TestOutbox.named()
        try await outbox("migrate", "up", "--to", "\(Self.newest - 1)")
        let step = try await Program.outbox("schema", "--from", "\(Self.newest - 1)", "--schema", outbox.schema).output
        try await outbox.script(
            """
            BEGIN;
            SET LOCAL statement_timeout = '7s';
            SET LOCAL search_path = somewhere;
            \(step)
            CREATE TEMPORARY TABLE seen AS
            SELECT current_setting('statement_timeout') || current_setting('search_path') || current_setting('row_security') AS settings;
            DO $$ BEGIN
                IF (SELECT settings FROM seen) <> '7ssomewhereon' THEN RAISE EXCEPTION '%', (SELECT settings FROM seen); END IF;
            END $$;
            COMMIT;
            """)
        try await outbox("migrate", "status")
    }

    @Test(arguments: [
        ("goose", ["00001_outbox_000N.sql"]), ("dbmate", ["00001_outbox_000N.sql"]), ("alembic", ["outbox_000N.py"]),
        ("flyway", ["U1__outbox_000N.sql", "V1__outbox_000N.sql"]),
        ("golang-migrate", ["000001_outbox_000N.down.sql", "000001_outbox_000N.up.sql"]),
    ])
    func filesAreNamedAsTheToolWantsThem(_ format: String, _ names: [String]) async throws {
        try await withTemporaryFolder { folder in
            let names = names.map { $0.replacingOccurrences(of: "000N", with: "000\(Self.newest)") }
            let printed = try await Program.outbox("schema", "--format", format, "--output", folder)
            #expect(Set(printed.lines) == Set(names.map { "\(folder)/\($0)" }))
            #expect(try self.files(folder) == names)
            // What makes the change comes first, and is what is printed without a folder.
            let first = try String(contentsOfFile: printed.lines[0], encoding: .utf8)
            #expect(try await Program.outbox("schema", "--format", format).output == first)
            #expect(first.contains("every message, delivered or not, is gone"))

            let again = try await Program.outbox("schema", "--format", format, "--output", folder, status: 64)
            #expect(again.error.contains("has a file for that already"))
            #expect(try self.files(folder) == names)
        }
    }

    @Test(arguments: [
        (["0041_theirs.sql", "notes.txt"], "goose", "0042_outbox"),
        (["20300102030405_theirs.sql"], "dbmate", "20300102030406_outbox"),
        (["999_a.up.sql", "999_a.down.sql"], "golang-migrate", "1000_outbox"),
        (["V7__a.sql", "V2.1__b.sql", "R__c.sql"], "flyway", "V8__outbox"),
    ])
    func numbersGoOnWhereTheirsEnd(_ theirs: [String], _ format: String, _ prefix: String) async throws {
        try await withTemporaryFolder { folder in
            for name in theirs { try "".write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8) }
            try await Program.outbox("schema", "--format", format, "--output", folder, "--schema", "my outbox")
            let ours = try self.files(folder).filter { $0.contains("outbox_") }
            #expect(ours.contains { $0.hasPrefix(prefix) && $0.contains("_my_outbox_") }, "\(ours)")
        }
    }

    /// A tool takes two files with a number for one, or refuses all of them.
    @Test(arguments: [
        ("00041_theirs.sql", "goose", "41"), ("41_theirs.sql", "dbmate", "00041"),
        ("000041_a.up.sql", "golang-migrate", "41"), ("V2_10__a.sql", "flyway", "2.10"), ("V3__a.sql", "flyway", "3.0"),
    ])
    func aNumberThatIsTakenIsRefused(_ theirs: String, _ format: String, _ number: String) async throws {
        try await withTemporaryFolder { folder in
            try "".write(toFile: "\(folder)/\(theirs)", atomically: true, encoding: .utf8)
            let words = ["schema", "--format", format, "--output", folder, "--number"]
            let refused = try await Program.outbox(words + [number], status: 64)
            #expect(refused.error.contains("--number \(number)") && refused.error.contains(theirs), "\(refused.error)")
            #expect(try self.files(folder) == [theirs])
            // Another one is not.
            try await Program.outbox(words + ["42"])
            #expect(try self.files(folder).count > 1)
        }
    }

    @Test func aRevisionComesAfterAnother() async throws {
        try await withTemporaryFolder { folder in
            try "revision = \"1a\"\n".write(toFile: "\(folder)/theirs.py", atomically: true, encoding: .utf8)
            let words = ["schema", "--format", "alembic", "--output", folder]
            #expect(try await Program.outbox(words, status: 64).error.contains("--after"))
            let path = try await Program.outbox(words + ["--after", "1a"]).lines[0]
            let text = try String(contentsOfFile: path, encoding: .utf8)
            #expect(text.contains("\ndown_revision = \"1a\"\n"))
            #expect(text.contains("\nrevision = \"outbox_000\(Self.newest)\"\n"))
        }
    }

    @Test(arguments: [
        ["--from", "99"], ["--to", "-1"], ["--to", "0"], ["--from", "2", "--to", "2"], ["--from", "2", "--to", "1"],
        ["--down"],
        ["--down", "--from", "1", "--to", "2"], ["--format", "liquibase"], ["--format", "sql", "--output", "."],
        ["--format", "goose", "--number", "7"], ["--format", "goose", "--output", ".", "--number", "7a"],
        ["--format", "goose", "--after", "x"], ["--grants", "--format", "goose"], ["--drop", "--from", "1"],
        ["--format", "flyway", "--schema", "a${b}"], ["--format", "goose", "--output", "/nowhere/at/all"],
    ])
    func refusesWhatMakesNoSense(_ words: [String]) async throws {
        let ending = try await Program.outbox(["schema"] + words, status: 64)
        #expect(ending.output.isEmpty)
    }

    /// A script without its options is as it was.
    @Test func theWholeSchemaIsTheStepFromNothing() async throws {
        let whole = try await Program.outbox("schema").output
        let step = try await Program.outbox("schema", "--from", "0").output
        #expect(step.hasSuffix("\n\n" + whole))
    }

    @Test func dividesAScriptIntoStatements() {
        let script = """
            -- one; comment
            SELECT ';"' AS ";'" ;
            DO $outbox$ BEGIN; ';' END $outbox$;

            -- nothing more;

            """
        #expect(
            SQLScript.statements(of: script) == [
                "-- one; comment\nSELECT ';\"' AS \";'\"", "DO $outbox$ BEGIN; ';' END $outbox$",
            ])
        #expect(SQLScript.statements(of: "SELECT 1") == ["SELECT 1"])
    }
}
