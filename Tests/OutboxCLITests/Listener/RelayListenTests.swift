import Foundation
import OutboxPostgres
import OutboxTestServers
import Testing

@testable import OutboxCLI

/// A relay that answers to probes and scrapers.
@Suite(.timeLimit(.minutes(10))) struct RelayListenTests {
    /// `eventually` waits in a shell until a condition holds, at most a minute; `got PATH` is what a page says, and `says PATH TEXT` whether that is in it.
    private static let tools = """
        eventually() { n=0; until "$@"; do n=$((n + 1)); [ $n -lt 3000 ] || { echo "not: $*"; cat "$folder/err" >&2; exit 99; }; sleep 0.02; done; }
        folder=$(mktemp -d); relay=''; trap 'rm -rf "$folder"; [ -z "$relay" ] || kill $relay 2>/dev/null' EXIT
        has() { [ "$(cat "$2" 2>/dev/null | grep -c "$1")" -ge "${3:-1}" ]; }
        listening() { port=$(sed -n 's/.*Listening for.*address=127.0.0.1:\\([0-9]*\\).*/\\1/p' "$folder/err" 2>/dev/null); [ "$port" ]; }
        got() { curl -sS "http://127.0.0.1:$port$1"; }
        code() { curl -sS -o /dev/null -w '%{http_code}\\n' "http://127.0.0.1:$port$1"; }
        says() { got "$1" 2>/dev/null | grep -qF -- "$2"; }
        is() { [ "$(code "$1" 2>/dev/null)" = "$2" ]; }

        """

    @Test func itSaysHowItIsAndWhatIsInTheOutbox() async throws {
        let outbox = try await TestOutbox.migrated()
        let ending = try await outbox.shell(
            Self.tools + """
                for i in 1 2 3; do
                    "$outbox" enqueue good x "$@" && "$outbox" enqueue down x "$@" && "$outbox" enqueue dead x "$@"
                    "$outbox" enqueue 'no"route' x "$@"
                done >/dev/null
                "$outbox" relay --route good=discard --route 'down=exec:exit 69' --route 'dead=exec:exit 65' \\
                    --listen :0 "$@" 2>"$folder/err" &
                relay=$!
                eventually listening
                eventually says /readyz "down: down since"
                eventually has "is a dead letter now" "$folder/err" 3
                eventually says /metrics 'outbox_destination_state{destination="down",state="down",subscription="main"} 1'
                eventually says /metrics 'outbox_dead_letters{destination="dead",subscription="main"} 3'
                code /livez; got /livez; code /readyz; got /readyz | head -1
                kill -s TERM $relay; wait $relay; echo "status $?"; relay=''
                """)
        #expect(ending.lines == ["200", "ok", "200", "delivering", "status 0"], "\(ending.output)\(ending.error)")
    }

    @Test func theNumbersAreThoseOfTheDatabase() async throws {
        let outbox = try await TestOutbox.migrated()
        let ending = try await outbox.shell(
            Self.tools + """
                for i in 1 2 3; do "$outbox" enqueue down x "$@" && "$outbox" enqueue 'no"route' x "$@"; done >/dev/null
                "$outbox" relay --route 'down=exec:exit 69' --listen 127.0.0.1:0 "$@" 2>"$folder/err" &
                relay=$!
                eventually listening
                eventually says /metrics 'outbox_destination_state{destination="down",state="down"'
                got /metrics
                kill -s TERM $relay; wait $relay
                """)
        for line in [
            #"outbox_messages_waiting{destination="down",subscription="main"} 3"#,
            #"outbox_messages_waiting{destination="no\"route",subscription="main"} 3"#,
            #"outbox_destination_state{destination="no\"route",state="never served",subscription="main"} 1"#,
            #"outbox_destination_down{destination="down",subscription="main"} 1"#,
            #"outbox_messages_in_flight{destination="down",subscription="main"} 3"#,
            #"outbox_relays{state="delivering",subscription="main"} 1"#, "outbox_relay_streams 1",
            "outbox_relay_connected 1", "outbox_database_up 1", #"outbox_build_info{version="0.1.0"} 1"#,
            "# TYPE outbox_read_lag_seconds histogram",
        ] {
            #expect(ending.lines.contains(line), "\(line) is not in \(ending.output)\(ending.error)")
        }
    }

    /// What was so a minute ago is not shown as what is so now, and no probe has a process begin again for it.
    @Test func aDatabaseThatIsGoneIsSaid() async throws {
        let server = try await EphemeralPostgres.start()
        try await Program.outbox("migrate", "up", "--postgres", server.url)
        try await Program.outbox("enqueue", "other", "x", "--postgres", server.url)
        try await withTemporaryFolder { folder in
            async let ending = Program.shell(
                Self.tools + """
                    trap 'touch "$signals/kill" "$signals/start"; rm -rf "$folder"; kill $relay 2>/dev/null' EXIT
                    "$outbox" relay --route d=discard --listen :0 --postgres "$url" 2>"$folder/err" &
                    relay=$!
                    eventually listening
                    eventually says /metrics 'outbox_messages_waiting{destination="other",subscription="main"} 1'
                    touch "$signals/kill"
                    eventually is /readyz 503
                    eventually says /metrics "outbox_database_up 0"
                    echo "numbers: $(got /metrics | grep -c '^outbox_messages_waiting')"
                    got /readyz | grep -o '^disconnected: .'; code /livez
                    got '/readyz?format=json' | grep -o '"ready":false,"phase":"disconnected"'
                    got /metrics | grep -E '^outbox_relay_(ready|connected) '
                    touch "$signals/start"
                    eventually is /readyz 200
                    eventually says /metrics 'outbox_messages_waiting{destination="other",subscription="main"} 1'
                    got /metrics | grep '^outbox_database_up'
                    kill -s TERM $relay; wait $relay; echo "status $?"; relay=''
                    """, ["url": server.url, "signals": folder])
            try await until("the server is to go") { FileManager.default.fileExists(atPath: folder + "/kill") }
            try await server.kill()
            try await until("the server is to come back") { FileManager.default.fileExists(atPath: folder + "/start") }
            try await server.startAgain()
            let lines = try await ending.lines
            #expect(
                lines.map { $0.hasPrefix("disconnected: ") ? "disconnected" : $0 } == [
                    "numbers: 0", "disconnected", "200", "\"ready\":false,\"phase\":\"disconnected\"",
                    "outbox_relay_connected 0", "outbox_relay_ready 0", "outbox_database_up 1", "status 0",
                ])
            let output = try await ending
            #expect(!output.error.contains("not:"))
        }
        await server.stop()
    }

    /// A role that may not look is no reason to show zeros; the relay goes on.
    @Test func aLookThatIsRefusedLeavesTheNumbersOut() async throws {
        let outbox = try await TestOutbox.migrated()
        let role = "looker_\(outbox.schema)"
        try await outbox.sql("CREATE ROLE \(role) LOGIN")
        let grants = try await Program.outbox("schema", "--grants", "--relay", role, "--schema", outbox.schema)
        for line in grants.lines where line.hasPrefix("GRANT") { try await outbox.sql(line) }
        // Without these a relay delivers, and sees no current segment.
        try await outbox.sql("REVOKE ALL ON SEQUENCE {{schema}}.segment_number FROM \(role)")
        let ending = try await outbox.shell(
            Self.tools + """
                as=$(printf "%s" "$url" | sed "s/user=postgres/user=\(role)/")
                "$outbox" relay --route 'd=file:/dev/null' --listen :0 --postgres "$as" --schema "$schema" 2>"$folder/err" &
                relay=$!
                eventually listening
                "$outbox" enqueue d x "$@" >/dev/null
                eventually says /metrics "outbox_database_up 1"
                got /metrics | grep -c '^outbox_log_bytes'
                psql -qd "$url" -c 'ALTER ROLE \(role) NOLOGIN' \\
                    -c "DO \\$\\$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '\(role)' AND application_name = 'outbox metrics'; END \\$\\$"
                eventually says /metrics "outbox_database_up 0"
                got /metrics | grep -E '^outbox_(messages_waiting|dead_letters|relays|log_bytes)'
                got /metrics | grep -E '^outbox_(relay_connected|messages_delivered_total)'
                eventually has "The database cannot be looked at for metrics" "$folder/err"
                code /readyz
                psql -qd "$url" -c 'ALTER ROLE \(role) LOGIN'
                eventually says /metrics "outbox_database_up 1"
                kill -s TERM $relay; wait $relay; echo "status $?"; relay=''
                """)
        #expect(
            ending.lines == [
                "1", #"outbox_messages_delivered_total{destination="d",subscription="main"} 1"#,
                "outbox_relay_connected 1",
                "200", "status 0",
            ], "\(ending.output)\(ending.error)")
        // Roles are those of the server, which tests share.
        try await outbox.sql("DROP OWNED BY \(role)")
        try await outbox.sql("DROP ROLE \(role)")
    }

    /// The relay that a hangup brings is the one that is spoken of, at the same address.
    @Test func aHangupKeepsTheListener() async throws {
        let outbox = try await TestOutbox.migrated()
        let ending = try await outbox.shell(
            Self.tools + """
                file="$folder/outbox.yaml"
                printf 'listen: :0\\nroutes:\\n  a: discard\\n' >"$file"
                "$outbox" relay "$@" --config "$file" 2>"$folder/err" &
                relay=$!
                eventually listening
                eventually says /metrics 'outbox_relay_streams 1'
                "$outbox" enqueue a x "$@" >/dev/null
                eventually says /metrics 'outbox_messages_delivered_total{destination="a",subscription="main"} 1'
                printf 'listen: 127.0.0.1:1\\nroutes:\\n  a: discard\\n  b: exec:exit 69\\n' >"$file"
                kill -s HUP $relay
                eventually says /metrics 'outbox_relay_streams 2'
                "$outbox" enqueue b x "$@" >/dev/null
                eventually says /readyz "down: b since"
                says /metrics 'outbox_messages_delivered_total{destination="a",subscription="main"} 1' && echo kept
                code /livez; code /readyz
                eventually has "holds for another process" "$folder/err"
                kill -s TERM $relay; wait $relay; echo "status $?"; relay=''
                """)
        #expect(ending.lines == ["kept", "200", "200", "status 0"], "\(ending.output)\(ending.error)")
    }

    @Test func anAddressThatIsTakenEndsTheProgramBeforeItDelivers() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "d", "x")
        let ending = try await outbox.shell(
            Self.tools + """
                "$outbox" relay --route other=discard --listen :0 "$@" 2>"$folder/err" &
                relay=$!
                eventually listening
                OUTBOX_LISTEN=":$port" "$outbox" relay --route d=stdout "$@"; echo "status $?"
                kill -s TERM $relay; wait $relay
                """)
        #expect(ending.lines == ["status 69"])
        #expect(ending.error.contains("is in use"), "\(ending.error)")
        #expect(
            try await outbox("relay", "--route", "d=stdout", "--listen", "9464", status: 64).error.contains("“:9464”"))
    }

    /// It ends when nothing is left, whoever still asks.
    @Test func aListenerIsNoReasonToStay() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "d", "x")
        let ending = try await outbox("relay", "--route", "d=stdout", "--until-empty", "--listen", ":0")
        #expect(ending.lines.count == 1)
    }
}
