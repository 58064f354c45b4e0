import Foundation
import OutboxPostgres
import OutboxTestServers
import Testing

@testable import OutboxCLI

/// A relay with a configuration file.
@Suite(.timeLimit(.minutes(10))) struct ConfigurationTests {
    /// Waits in a shell until a condition holds, at most half a minute.
    private static let eventually = """
        eventually() { n=0; until "$@"; do n=$((n + 1)); [ $n -lt 3000 ] || exit 99; sleep 0.01; done; }
        folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
        has() { [ "$(cat "$2" 2>/dev/null | grep -c "$1")" -ge "${3:-1}" ]; }
        file="$folder/outbox.yaml"

        """

    @Test func everyCommandKnowsWhichOutboxItIs() async throws {
        let outbox = try await TestOutbox.migrated()
        try await withTemporaryFolder { folder in
            let path = folder + "/outbox.yaml"
            let text = """
                postgres: \(outbox.url)
                schema: \(outbox.schema)
                subscription: reports
                routes:
                  d: stdout
                """
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            try await Program.outbox("enqueue", "d", "x", "--config", path)
            #expect(try await Program.outbox("relay", "--config", path, "--once").lines.count == 1)
            // The subscription is that of the file, for those who look as for those who deliver.
            let status = try await Program.outbox("status", "--json", environment: ["OUTBOX_CONFIG": path]).json()
            #expect(status["subscription"].string == "reports")
            let doctor = try await Program.outbox("stream", "list", "--json", "--config", path)
            #expect(doctor.output.contains("\"d\""))
            // An option goes before the environment, and that before the file.
            try await Program.outbox(
                "status", "--config", path, environment: ["OUTBOX_SCHEMA": "nowhere"], status: 78)
            try await Program.outbox(
                "status", "--config", path, "--schema", outbox.schema, environment: ["OUTBOX_SCHEMA": "nowhere"])
        }
    }

    @Test func aFileThatIsWrongIsSaidLineByLine() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/outbox.yaml"
            try "pagee: 1\nroutes:\n  d:\n    to: stdout\n    concurrency: 0\n".write(
                toFile: path, atomically: true, encoding: .utf8)
            let ending = try await Program.outbox("relay", "--config", path, status: 64)
            #expect(ending.error.split(separator: "\n").count == 2)
            #expect(ending.error.contains("\(path):1: pagee is no setting; did you mean “page”?"))
            #expect(ending.error.contains("\(path):5: routes.d.concurrency is a whole number, 1 to 1024"))
            let missing = try await Program.outbox("status", "--config", folder + "/none", status: 64)
            #expect(missing.error.contains("none cannot be read: No such file or directory"))
        }
    }

    @Test func checkingConnectsToNothing() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/outbox.yaml"
            let text = """
                postgres: host=/nonexistent
                max_attempts: 7
                routes:
                  orders: {to: "amqps://mq.invalid/shop?exchange=orders", concurrency: 2}
                  "*": {to: "exec:true", order: none}
                """
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            let ending = try await Program.outbox("relay", "--config", path, "--check-config", "--concurrency", "3")
            let rows = ending.lines.map { $0.split(separator: " ").map(String.init) }
            #expect(rows.contains(["orders", "amqps://", "3", "7", "key"]))
            #expect(rows.contains(["*", "exec", "3", "7", "none"]))
            #expect(ending.lines.last == "\(path): nothing is wrong, 2 routes")
        }
    }

    /// The relay goes on with the file as it is, and with nothing lost or repeated.
    @Test func aHangupHasTheFileReadAgain() async throws {
        let outbox = try await TestOutbox.migrated()
        let ending = try await outbox.shell(
            Self.eventually + """
                printf 'routes:\\n  a: file:%s/a\\n' "$folder" >"$file"
                "$outbox" relay "$@" --config "$file" 2>"$folder/err" &
                relay=$!
                eventually has Delivering "$folder/err"
                seq 1 2000 | sed 's/.*/{"destination":"a","key":"k","payload":"&"}/' | "$outbox" enqueue --from - "$@"
                kill -s HUP $relay
                eventually has "The configuration holds" "$folder/err"
                # One that is wrong changes nothing.
                echo 'rutes: {}' >>"$file"
                kill -s HUP $relay
                eventually has "cannot be used" "$folder/err"
                "$outbox" enqueue b first "$@" && "$outbox" enqueue a 2001 "$@"
                eventually has . "$folder/a" 2001
                printf 'routes:\\n  a: file:%s/a\\n  b: file:%s/b\\n' "$folder" "$folder" >"$file"
                kill -s HUP $relay
                eventually has first "$folder/b"
                kill -s TERM $relay; wait $relay; echo "status $?"
                sed 's/.*"payload":"\\([0-9]*\\)".*/\\1/' "$folder/a"
                cat "$folder/err" >&2
                """)
        #expect(ending.lines.first?.hasPrefix("enqueued") == true)
        let lines = ending.lines.filter { !$0.hasPrefix("enqueued") }
        #expect(lines.first == "status 0", "\(ending.error)")
        #expect(lines.dropFirst() == (1...2001).map(String.init)[...])
        #expect(ending.error.contains("rutes is no setting; did you mean “routes”?"))
    }

    /// Relays that follow each other in a process have one stdout, whose lines stay whole.
    @Test func hangupsShareTheStandardOutput() async throws {
        let outbox = try await TestOutbox.migrated()
        let ending = try await outbox.shell(
            Self.eventually + """
                printf 'routes:\n  d: stdout\n' >"$file"
                mkfifo "$folder/pipe"
                "$outbox" relay "$@" --config "$file" >"$folder/pipe" 2>"$folder/err" &
                relay=$!
                cat "$folder/pipe" >"$folder/out" &
                eventually has Delivering "$folder/err"
                for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
                    "$outbox" enqueue d "$n" --key k "$@" >/dev/null
                    kill -s HUP $relay
                    eventually has Delivering "$folder/err" $((n + 1))
                done
                kill -s TERM $relay; wait $relay; echo "status $?"
                cat "$folder/out"
                """)
        #expect(ending.lines.first == "status 0", "\(ending.output)\(ending.error)")
        let payloads = try ending.lines.dropFirst().map { try JSON($0)["payload"].string }
        #expect(payloads == (1...12).map { "\($0)" }, "\(ending.output)")
    }

    /// Also for its thread, which watches whether the reader has gone.
    @Test func aProcessHasOneWriterOfEachKind() async throws {
        let writers = LineWriters {}
        try await withTemporaryFolder { folder in
            let file = Sink.file(folder + "/out")
            let (first, second) = (try writers.writer(for: file), try writers.writer(for: file))
            let other = try writers.writer(for: .file(folder + "/other"))
            #expect(first === second && first !== other)
        }
        let (first, second) = (try writers.writer(for: .stdout), try writers.writer(for: .stdout))
        #expect(first === second)
    }

    /// A pipe is read once.
    @Test func aConfigurationCanComeFromAPipe() async throws {
        let outbox = try await TestOutbox.migrated()
        let ending = try await Program.shell(
            """
            configuration() { printf 'postgres: %s\nschema: %s\nroutes:\n  d: stdout\n' "$url" "$schema"; }
            configuration | "$outbox" enqueue d x --config /dev/stdin
            configuration | "$outbox" relay --until-empty --config /dev/stdin 2>/dev/null
            """, ["url": outbox.url, "schema": outbox.schema])
        #expect(ending.lines.count == 2, "\(ending.output)\(ending.error)")
    }

    /// It is obeyed as soon as there is a relay.
    @Test func aHangupWhileARelayStartsIsNotItsEnd() async throws {
        let outbox = try await TestOutbox.migrated()
        let ending = try await Program.shell(
            Self.eventually + """
                printf '%s\n' "until [ -e $folder/go ]; do echo asked >>$folder/asked; sleep 0.01; done; echo x" >"$folder/command"
                printf 'postgres: %s\nschema: %s\npassword_command: sh %s/command\nroutes:\n  d: discard\n' \
                    "$url" "$schema" "$folder" >"$file"
                "$outbox" relay --config "$file" 2>"$folder/err" &
                relay=$!
                eventually has asked "$folder/asked"
                kill -s HUP $relay
                touch "$folder/go"
                eventually has "The configuration holds" "$folder/err"
                kill -s TERM $relay; wait $relay; echo "status $?"
                cat "$folder/err" >&2
                """, ["url": outbox.url, "schema": outbox.schema])
        #expect(ending.lines == ["status 0"], "\(ending.output)\(ending.error)")
    }

    /// A password that was changed, first in the server and then where the relay takes it from.
    @Test func aRelayOutlivesItsPassword() async throws {
        let server = try await EphemeralPostgres.start(.init(network: .loopback(password: "first")))
        let outbox = TestOutbox(schema: "outbox", url: server.url)
        try await outbox("migrate", "up")
        let url = try #require(server.tcpURL)
        let ending = try await Program.shell(
            Self.eventually + """
                sql() { "$psql" -X -q -d "$url" -c "$1"; }
                echo first >"$folder/password"
                printf 'postgres: %s\\npassword_command: cat %s/password\\nroutes:\\n  d: file:%s/out\\n' \\
                    "$tcp" "$folder" "$folder" >"$file"
                "$outbox" relay --config "$file" 2>"$folder/err" &
                relay=$!
                "$outbox" enqueue d one --postgres "$url" >/dev/null
                eventually has one "$folder/out"
                sql "ALTER ROLE CURRENT_USER PASSWORD 'second'"
                sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_port > 0" >/dev/null
                "$outbox" enqueue d two --postgres "$url" >/dev/null
                # It is refused, says so, and tries again.
                eventually has "password is missing or wrong" "$folder/err"
                echo second >"$folder/password"
                eventually has two "$folder/out"
                kill -s TERM $relay; wait $relay; echo "status $?"
                cat "$folder/err" >&2
                """,
            ["url": server.url, "tcp": url.replacingOccurrences(of: ":first@", with: "@"), "psql": try Self.psql()])
        #expect(ending.lines.last == "status 0", "\(ending.output)\(ending.error)")
        #expect(!ending.error.contains("second"))
        await server.stop()
    }

    /// Where `psql` is.
    private static func psql() throws -> String {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return try #require(
            folders.map { "\($0)/psql" }.first { FileManager.default.isExecutableFile(atPath: $0) })
    }
}
