import Foundation
import OutboxPostgres
import Testing

/// What the program says and ends with when something is wrong.
@Suite(.timeLimit(.minutes(10))) struct ErrorTests {
    /// An error is one line that begins with the program's name and holds no name of a type.
    private func expectPlain(_ error: String, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(error.hasPrefix("outbox: "), sourceLocation: sourceLocation)
        #expect(error.split(separator: "\n").count == 1, sourceLocation: sourceLocation)
        #expect(!error.contains("Error(") && !error.contains("LibPQError"), sourceLocation: sourceLocation)
    }

    @Test(arguments: [
        ["status"], ["status", "--watch"], ["doctor"], ["migrate", "up"], ["migrate", "status"], ["enqueue", "a", "b"],
        ["dead-letter", "list"],
        ["dead-letter", "replay", "--all"], ["relay", "--route", "a=discard"],
    ])
    func noServerIs69(arguments: [String]) async throws {
        let ending = try await Program.outbox(
            arguments + ["--postgres", "host=/nonexistent connect_timeout=1"], status: 69)
        self.expectPlain(ending.error)
    }

    @Test func anUnknownUserIs77() async throws {
        let outbox = try await TestOutbox.named()
        let ending = try await Program.outbox(
            "status", "--postgres", outbox.url + "&user=nobody_of_this_name&password=secret", status: 77)
        self.expectPlain(ending.error)
        #expect(!ending.error.contains("secret"))
    }

    @Test(arguments: [
        ["status"], ["status", "--watch"], ["enqueue", "a", "b"], ["dead-letter", "list"],
        ["dead-letter", "show", "1"],
        ["relay", "--route", "*=stdout"],
    ])
    func aMissingSchemaIs78(arguments: [String]) async throws {
        let outbox = try await TestOutbox.named()
        let ending = try await Program.outbox(
            arguments + ["--postgres", outbox.url, "--schema", outbox.schema], status: 78)
        self.expectPlain(ending.error)
        #expect(ending.error.contains("outbox migrate up"))
    }

    /// Also where versions that came before are missing: all commands say the same.
    @Test(arguments: [
        "INSERT INTO {{schema}}.migration VALUES (9999, 'future', 'x', 9999)",
        "UPDATE {{schema}}.migration SET version = 9999, readable_by = 9999 WHERE version = 1",
    ])
    func aNewerSchemaIs78(edit: String) async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox.sql(edit)
        for ending in [
            try await outbox("status", status: 78), try await outbox("relay", "--route", "*=stdout", status: 78),
            try await outbox("migrate", "up", status: 78),
        ] {
            self.expectPlain(ending.error)
            #expect(ending.error.contains("newer") && ending.error.contains("9999"), "\(ending.error)")
        }
        try await outbox("migrate", "status", status: 78)
    }

    /// What a newer program has only added to is no error, and every command works with it.
    @Test func aNewerSchemaThatIsReadableIsWell() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox.sql("INSERT INTO {{schema}}.migration VALUES (9999, 'future', 'x', 1)")
        try await outbox("enqueue", "d", "x")
        let relayed = try await outbox("relay", "--route", "*=stdout", "--until-empty")
        #expect(relayed.output.contains("\"x\""))
        try await outbox("status")
        try await outbox("janitor")
        try await outbox("migrate", "up")
        try await outbox("migrate", "status")
        try await outbox("migrate", "down", "--to", "0", "--yes", status: 78)
    }

    /// As after a dump of the structure alone.
    @Test func aSchemaWithoutItsVersionsIs78AndIsRestored() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox.sql("DELETE FROM {{schema}}.migration")
        for ending in [
            try await outbox("status", status: 78), try await outbox("relay", "--route", "*=stdout", status: 78),
            try await outbox("migrate", "status", status: 78),
        ] {
            self.expectPlain(ending.error)
            #expect(ending.error.contains("outbox migrate up"), "\(ending.error)")
        }
        let restored = try await outbox("migrate", "up")
        #expect(restored.output == "restored 5 outages: what says that it was applied\n")
        try await outbox("migrate", "status")
        #expect(try await outbox("migrate", "up").output.contains("is up to date"))
    }

    /// What the libraries leave out, they know no commands: the one that helps, with the schema.
    @Test func anErrorNamesTheCommandThatHelps() async throws {
        let outbox = try await TestOutbox.migrated()
        let stream = try await outbox("stream", "pause", "elsewhere", status: 1)
        #expect(stream.error.hasSuffix("To see those that there are: outbox stream list --schema \(outbox.schema)\n"))
        let missing = try await TestOutbox.named()
        let ending = try await missing("status", status: 78)
        #expect(ending.error.hasSuffix("To create it: outbox migrate up --schema \(missing.schema)\n"))
        try await outbox.sql("DELETE FROM {{schema}}.migration WHERE version > 1")
        let old = try await outbox("relay", "--route", "a=discard", status: 78)
        #expect(old.error.hasSuffix("To do that: outbox migrate up --schema \(outbox.schema)\n"))
    }

    @Test(arguments: ["status", "relay --route a=discard", "stream list"])
    func aMissingPrivilegeIs77(command: String) async throws {
        let outbox = try await TestOutbox.migrated()
        let role = "without grants of \(outbox.schema)"
        try await outbox.sql("CREATE ROLE \"\(role)\" LOGIN")
        try await outbox.sql("GRANT USAGE ON SCHEMA {{schema}} TO \"\(role)\"")
        let url = outbox.url.replacingOccurrences(
            of: "user=postgres", with: "user=\(role.replacingOccurrences(of: " ", with: "%20"))")
        try #require(url != outbox.url)
        let ending = try await Program.outbox(
            command.split(separator: " ").map(String.init) + ["--postgres", url, "--schema", outbox.schema], status: 77)
        self.expectPlain(ending.error)
        #expect(ending.error.hasSuffix("To see the statements: outbox schema --grants --schema \(outbox.schema)\n"))
        try await outbox.sql("DROP OWNED BY \"\(role)\" CASCADE")
        try await outbox.sql("DROP ROLE \"\(role)\"")
    }

    /// A relay that lacks more than what is looked at first.
    @Test func aRelayWithoutItsGrantsIs77() async throws {
        let outbox = try await TestOutbox.migrated()
        let role = "monitor of \(outbox.schema)"
        try await outbox.sql("CREATE ROLE \"\(role)\" LOGIN")
        let grants = try await Program.outbox("schema", "--grants", "--monitor", role, "--schema", outbox.schema)
        let connection = try await LibPQConnection.connect(LibPQConfiguration(outbox.url))
        try await connection.execute(script: grants.output)
        await connection.close()
        let url = outbox.url.replacingOccurrences(
            of: "user=postgres", with: "user=\(role.replacingOccurrences(of: " ", with: "%20"))")
        let ending = try await Program.outbox(
            "relay", "--route", "a=discard", "--postgres", url, "--schema", outbox.schema, status: 77)
        #expect(ending.error.contains("The relay's role lacks privileges"))
        #expect(ending.error.hasSuffix("To see the statements: outbox schema --grants --schema \(outbox.schema)\n"))
        try await outbox.sql("DROP OWNED BY \"\(role)\" CASCADE")
        try await outbox.sql("DROP ROLE \"\(role)\"")
    }

    @Test func anArgumentThatIsNotUTF8Is64() async throws {
        let outbox = try await TestOutbox.migrated()
        let ending = try await outbox.shell(#""$outbox" enqueue d "$(printf 'a\377')" "$@"; echo "status $?""#)
        #expect(ending.lines == ["status 64"])
        self.expectPlain(ending.error)
        #expect(try await outbox.count("message") == 0)
    }

    /// A supervisor that starts again what ended with 69 would do so for ever.
    @Test(arguments: [
        ["PGPORT": "abc"], ["PGPORT": "99999"], ["PGSSLMODE": "rubbish"], ["PGSERVICE": "nope"], ["PGTZ": "rubbish"],
        ["PGOPTIONS": "-c no_such_setting=1"],
    ])
    func aWrongEnvironmentIs64(environment: [String: String]) async throws {
        let outbox = try await TestOutbox.named()
        let postgres = environment["PGPORT"] == nil ? ["--postgres", outbox.url] : []
        let ending = try await Program.outbox(["status"] + postgres, environment: environment, status: 64)
        self.expectPlain(ending.error)
    }

    /// What comes after a character that should have been escaped may be the rest of a password.
    @Test(arguments: ["postgres://u:hunter2@Secret@h/d", "postgres://u:Top/Secret@h/d", "postgres://u:Top:Secret@h/d"])
    func aPasswordThatIsNotEscapedIsNotShown(url: String) async throws {
        let ending = try await Program.outbox(
            "status", "--postgres", url + "?connect_timeout=1", status: url.contains("Top:") ? 69 : 64)
        self.expectPlain(ending.error)
        #expect(!ending.error.contains("Secret") && !ending.error.contains("Top") && !ending.error.contains("hunter2"))
    }

    @Test(arguments: [
        ["dead-letter", "discard", "--error", ""], ["dead-letter", "discard", "--older-than", "0"],
        ["dead-letter", "replay", "--destination", ""], ["dead-letter", "replay", "--older-than", "0s"],
        ["deferred", "discard"], ["deferred", "discard", "--error", ""], ["deferred", "retry", "--older-than", "0"],
    ])
    func anEmptyFilterIsNotEverything(arguments: [String]) async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox.sql(
            """
            INSERT INTO {{schema}}.dead_letter (id, created_at, destination, payload, attempts, reason, last_error)
            VALUES (1, now(), 'd', '', 1, 'rejected', 'no')
            """)
        try await Program.outbox(arguments + ["--postgres", outbox.url, "--schema", outbox.schema], status: 64)
        #expect(try await outbox.count("dead_letter") == 1)
    }

    /// What is in names and errors does nothing to a terminal.
    @Test func namesAreNoCommandsToATerminal() async throws {
        let outbox = try await TestOutbox.migrated()
        let name = "a\u{1B}[31m\u{7}\n\u{202E}z"
        try await outbox("enqueue", name, "x")
        let line = #"{"destination":"d","payload":"a","\u001b]0;x\u0007":1}"#
        for text in [
            try await outbox("status").output,
            try await outbox("enqueue", "--from", "-", input: line, status: 65).error,
            try await Program.outbox("status", "--postgres", outbox.url, "--schema", name, status: 64).error,
            try await Program.outbox(
                "status", "--postgres", outbox.url, "--schema", "a\u{1B}[31m", status: 78
            ).error,
        ] {
            #expect(!text.contains("\u{1B}") && !text.contains("\u{7}") && !text.contains("\u{202E}"), "\(text)")
        }
        #expect(try await outbox("status", "--json").json()["unregistered"][0]["destination"].string == name)
    }

    /// Also what the argument parser says of itself.
    @Test func whatWasTypedIsNoCommandToATerminal() async throws {
        for arguments in [
            ["relay", "--route", "a\u{1B}[31m\u{7}"], ["relay", "--route", "a=\u{1B}]0;x\u{7}"],
            ["relay", "--\u{1B}[31m"], ["status", "--interval", "\u{1B}[2J"], ["dead-letter", "show", "\u{1B}[2J"],
            ["\u{1B}[2J"],
        ] {
            let error = try await Program.outbox(arguments, status: 64).error
            #expect(!error.contains("\u{1B}") && !error.contains("\u{7}") && !error.isEmpty, "\(error)")
        }
    }

    @Test(arguments: [
        "schema", "status", "status --json", "status --watch", "status --watch --json", "dead-letter list",
        "migrate status --json", "doctor", "--help", "relay --help", "help status", "--version",
    ])
    func anOutputThatIsNotTakenIs74(command: String) async throws {
        let outbox = try await TestOutbox.migrated()
        let on = command == "schema" || command.contains("help") || command == "--version" ? "" : #""$@""#
        let full = try await outbox.shell(#""$outbox" \#(command) \#(on) >/dev/full; echo "status $?""#)
        #expect(full.lines == ["status 74"], "\(full.error)")
        let closed = try await outbox.shell(#""$outbox" \#(command) \#(on) >&-; echo "status $?""#)
        #expect(closed.lines == ["status 74"], "\(closed.error)")
    }

    @Test(arguments: [
        (["statu"], "status"), (["migrate", "upp"], "up"), (["relay", "--route", "a=stdot"], "stdout"),
        (["relay", "--route", "a=stdout", "--log-level", "warn"], "warning"),
        (["relay", "--rout", "a=stdout"], "--route"),
        (["dead-letter", "list", "--reason", "rejectd"], "rejected"), (["enqueue", "--form", "x"], "--from"),
        (["status", "--postgres", "hots=/tmp"], "host"),
    ])
    func aMistypedNameGetsTheNearest(arguments: [String], nearest: String) async throws {
        let ending = try await Program.outbox(arguments, status: 64)
        #expect(ending.error.contains(nearest))
    }

    @Test(arguments: [
        ["relay"], ["relay", "--route", "stdout"], ["relay", "--route", "a=file:"],
        ["relay", "--route", "a=stdout", "--route", "a=discard"],
        ["relay", "--route", "a=stdout", "--concurrency", "0"],
        ["relay", "--route", "a=stdout", "--poll", "soon"], ["relay", "--route", "a=stdout", "--window", "5"],
        ["enqueue", "a"], ["enqueue", "a", "b", "--header", "x"],
        ["enqueue", "a", "b", "--header", "x=1", "--header", "x=2"], ["enqueue", "a", "b", "--deliver-at", "tomorrow"],
        ["enqueue", "a", "--from", "-"], ["dead-letter", "replay"], ["dead-letter", "show", "x"],
        ["demo", "--duration", "1ms"], ["status", "--interval", "1s"], ["status", "--watch", "--interval", "0"],
    ])
    func aWrongCommandLineIs64(arguments: [String]) async throws {
        try await Program.outbox(arguments, status: 64)
    }

    @Test(arguments: [
        [], ["relay"], ["enqueue"], ["migrate"], ["migrate", "up"], ["dead-letter", "replay"], ["demo"], ["status"],
        ["doctor"],
    ])
    func helpHasExamples(command: [String]) async throws {
        let ending = try await Program.outbox(command + ["--help"])
        #expect(ending.output.contains("EXAMPLES:"))
    }

    @Test func noColourIsInWhatIsNoTerminal() async throws {
        let ending = try await Program.outbox("status", "--postgres", "host=/nonexistent", status: 69)
        #expect(!ending.error.contains("\u{1B}"))
    }
}
