import Foundation
import TestSupport
import Testing

/// `outbox relay`: how it ends.
@Suite(.timeLimit(.minutes(10))) struct RelayEndingTests {
    /// Waits in a shell until a condition holds, at most half a minute.
    private static let eventually = """
        eventually() { n=0; until "$@"; do n=$((n + 1)); [ $n -lt 3000 ] || exit 99; sleep 0.01; done; }
        folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
        has() { [ "$(grep -c "$1" "$2")" -ge "${3:-1}" ]; }

        """

    @Test(arguments: ["TERM", "INT", "HUP"], ["", "--until-empty"])
    func aSignalLetsBegunDeliveriesFinish(signal: String, option: String) async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "d", "x")
        let ending = try await outbox.shell(
            Self.eventually + """
                command='echo begun; read -r line <'"$folder"'/go; echo finished'
                mkfifo "$folder/go"
                "$outbox" relay "$@" \(option) --route "d=exec:$command" >"$folder/out" 2>"$folder/err" &
                eventually has begun "$folder/out"
                kill -s \(signal) $!
                echo >"$folder/go"
                wait $!
                echo "status $?"
                cat "$folder/out" "$folder/err"
                """)
        #expect(ending.lines.first == "status 0", "\(ending.output)\(ending.error)")
        #expect(ending.output.contains("finished") && !ending.output.contains("outbox:"))
        #expect(try await outbox.sql("SELECT position::text FROM {{schema}}.stream") == ["1"])
    }

    /// A server that does not answer yet is no reason to end otherwise.
    @Test(arguments: ["TERM", "INT", "HUP"], ["", "--listen :0"])
    func aSignalBeforeTheFirstConnectionEndsIt(signal: String, option: String) async throws {
        let silent = try SilentPort()
        let ending = try await Program.shell(
            Self.eventually + """
                "$outbox" relay --postgres 'host=127.0.0.1 port=\(silent.port) connect_timeout=600' --answer-timeout 0 \
                    --route d=discard \(option) >"$folder/out" 2>"$folder/err" & relay=$!
                # It waits for the answer to what it has sent.
                connected() { grep -qi "0100007F:$(printf %04X \(silent.port)) 01" "/proc/$relay/net/tcp"; }
                eventually connected
                kill -s \(signal) $relay
                wait $relay
                echo "status $?"
                cat "$folder/out"; grep outbox: "$folder/err"
                """)
        #expect(ending.lines == ["status 0"], "\(ending.output)\(ending.error)")
    }

    @Test func aSecondInterruptEndsAtOnce() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "d", "x")
        let ending = try await outbox.shell(
            Self.eventually + """
                "$outbox" relay "$@" --route "d=exec:echo \\$\\$; sleep 600 & wait" >"$folder/out" 2>"$folder/err" &
                relay=$!
                eventually has . "$folder/out"
                kill -s INT $relay
                # Until it has ended: the second must not come before the first was noticed.
                (while kill -s INT $relay 2>/dev/null; do sleep 0.2; done) &
                wait $relay
                echo "status $?"
                # What it had begun has ended with it.
                gone() { ! ps -o stat= -p "$1" | grep -v Z; }
                eventually gone "$(cat "$folder/out")"
                echo gone
                """)
        #expect(ending.lines == ["status 130", "gone"], "\(ending.output)\(ending.error)")
    }

    @Test func aCommandIsKilledWhenItsTimeIsOver() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "d", "x")
        let ending = try await outbox.shell(
            Self.eventually + """
                "$outbox" relay "$@" --drain-deadline 100ms --route "d=exec:sleep 600 & echo \\$!; wait" \
                    >"$folder/out" 2>"$folder/err" &
                eventually has . "$folder/out"
                kill -s TERM $!
                wait $!
                echo "status $?"
                gone() { ! ps -o stat= -p "$1" | grep -v Z; }
                eventually gone "$(cat "$folder/out")"
                echo gone
                """)
        #expect(ending.lines == ["status 0", "gone"], "\(ending.output)\(ending.error)")
        #expect(try await outbox.count("dead_letter") == 0)
    }

    @Test func aReaderThatGoesAwayIsTheEnd() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox.sql(
            "INSERT INTO {{schema}}.message (destination, payload) SELECT 'd', convert_to(repeat('x', 1000), 'UTF8') FROM generate_series(1, 20000)"
        )
        let ending = try await outbox.shell(
            Self.eventually + """
                { "$outbox" relay "$@" --route d=stdout; echo "status $?" >&2; } 2>"$folder/err" | head -n 2 | wc -l
                tail -n 1 "$folder/err"
                """)
        #expect(ending.lines.map { $0.filter { $0 != " " } } == ["2", "status0"])
        let rest = try await outbox.shell(#""$outbox" relay "$@" --route d=stdout --until-empty | wc -l"#)
        #expect(rest.lines.first.flatMap { Int($0.filter { $0 != " " }) } ?? 0 > 1000, "\(rest.output)\(rest.error)")
        #expect(try await outbox.count("dead_letter") == 0)
    }

    @Test func untilEmptyOutlivesItsConnections() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "d", "x")
        try await withTemporaryFolder { folder in
            async let ending = outbox(
                "relay", "--until-empty", "--route", "d=exec:until [ -e \(folder)/go ]; do sleep 0.01; done")
            var ended = ["0"]
            for _ in 0..<2 {
                let last = ended[0]
                repeat {
                    ended = try await outbox.sql(
                        """
                        WITH watch AS MATERIALIZED (
                            SELECT pid FROM pg_stat_activity
                            WHERE application_name = 'outbox relay, until empty' AND query LIKE '%{{schema}}%'
                        )
                        SELECT pid::text FROM watch WHERE pid <> \(last) AND pg_terminate_backend(pid)
                        """)
                } while ended.isEmpty
            }
            try "".write(toFile: folder + "/go", atomically: true, encoding: .utf8)
            _ = try await ending
        }
        #expect(try await outbox.sql("SELECT position::text FROM {{schema}}.stream") == ["1"])
    }

    /// What a command has begun to read it can read to its end, whatever becomes of the relay.
    @Test func aCommandReadsAWholePayloadThoughItsRelayWasKilled() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox.sql(
            "INSERT INTO {{schema}}.message (destination, payload) VALUES ('d', convert_to(repeat('x', 1000000), 'UTF8'))"
        )
        let ending = try await outbox.shell(
            Self.eventually + """
                command='echo begun; read -r line <'"$folder"'/go; wc -c; echo finished'
                mkfifo "$folder/go"
                "$outbox" relay "$@" --route "d=exec:$command" >"$folder/out" 2>/dev/null &
                eventually has begun "$folder/out"
                kill -s KILL $!
                wait $!
                echo >"$folder/go"
                eventually has finished "$folder/out"
                cat "$folder/out"
                """)
        #expect(ending.lines == ["begun", "1000000", "finished"], "\(ending.output)\(ending.error)")
    }

    @Test func aReaderThatGoesAwayIsNoticedWhileThereIsNothingToWrite() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "d", "x")
        let ending = try await outbox.shell(
            Self.eventually + """
                { "$outbox" relay "$@" --route d=stdout 2>"$folder/err"; echo "status $?" >&2; } | head -n 1 >/dev/null
                """)
        #expect(ending.error == "status 0\n")
    }

    /// Killed again and again: nothing is lost, whatever was cut off came again.
    @Test func nothingIsLostByKilling() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox.sql(
            "INSERT INTO {{schema}}.message (destination, key, payload) SELECT 'd', (i % 100)::text, convert_to(repeat('x', 500), 'UTF8') FROM generate_series(1, 30000) AS i"
        )
        let ending = try await outbox.shell(
            Self.eventually + """
                : >"$folder/all"
                for lines in 1 3000 9000; do
                    "$outbox" relay "$@" --page 100 --window 500 --route d=stdout >"$folder/out" 2>/dev/null &
                    eventually has . "$folder/out" $lines
                    kill -s KILL $!
                    wait $!
                    # The last line may be half of one. One that is whole may have been committed.
                    if [ -z "$(tail -c 1 "$folder/out")" ]; then cat "$folder/out"; else sed '$d' "$folder/out"; fi \
                        >>"$folder/all"
                done
                "$outbox" relay "$@" --route d=stdout --until-empty 2>/dev/null >>"$folder/all"
                # Of a line that is not whole nothing is left that is a number.
                sed 's/^{"id":\\([0-9]*\\),.*}$/\\1/' "$folder/all"
                """)
        let ids = ending.lines.map { Int($0) }
        #expect(!ids.contains(nil) && Set(ids).count == 30_000)
        // 500 may be in flight at each kill, and 1000 delivered and not committed.
        #expect(ids.count <= 30_000 + 3 * 2500, "\(ids.count - 30_000) twice")
    }
}
