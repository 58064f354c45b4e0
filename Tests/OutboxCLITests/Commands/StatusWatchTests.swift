import Foundation
import Testing

/// `outbox status --watch`.
@Suite(.timeLimit(.minutes(10))) struct StatusWatchTests {
    @Test func aLineOfJSONAnIntervalAndRates() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "mail", "one")
        try await outbox("relay", "--route", "mail=discard", "--until-empty")
        let ending = try await outbox.shell(
            #"{ timeout 100 "$outbox" status "$@" --watch --interval 50ms --json; echo "status $?" >&2; } | head -n 3"#)
        #expect(ending.lines.count == 3)
        // The reader has gone, which is no failure.
        #expect(ending.error == "status 0\n")
        let looks = try ending.lines.map { try JSON($0) }
        #expect(looks.allSatisfy { $0["streams"][0]["destination"].string == "mail" })
        #expect(looks.map { $0["streams"][0]["per_second"].isNull } == [true, false, false])
        #expect(looks[2]["streams"][0]["per_second"].int == 0)
        let times = looks.compactMap { $0["taken_at"].string }
        #expect(times.count == 3 && times == times.sorted() && Set(times).count == 3)
    }

    @Test func aBlockAnIntervalWhereThereIsNoTerminal() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "nobody", "x")
        let ending = try await outbox.shell(
            #"{ timeout 100 "$outbox" status "$@" --watch --interval 50ms; echo "status $?" >&2; } | head -n 40"#)
        #expect(ending.error == "status 0\n")
        #expect(ending.lines.filter { $0.hasPrefix("outbox “\(outbox.schema)”") }.count > 1)
        #expect(ending.lines.contains { $0.hasPrefix("DESTINATION") && $0.contains("PER SECOND") })
        #expect(!ending.output.contains("\u{1B}"))
    }

    @Test(arguments: ["TERM", "INT", "HUP"])
    func aSignalIsTheEnd(signal: String) async throws {
        let outbox = try await TestOutbox.migrated()
        // The signal comes when something has been shown, so it was trapped.
        let ending = try await outbox.shell(
            """
            pipe=$(mktemp -u); mkfifo "$pipe"; trap 'rm -f "$pipe"' EXIT
            "$outbox" status "$@" --watch --interval 1h --json >"$pipe" & watch=$!
            exec 3<"$pipe"
            read -r line <&3
            # If it does not end, this ends it.
            (n=0; while [ $n -lt 1000 ] && kill -s 0 $watch; do n=$((n + 1)); sleep 0.1; done; kill -s KILL $watch) 2>/dev/null &
            kill -s \(signal) $watch
            wait $watch
            echo "status $?"
            """)
        #expect(ending.lines == ["status 0"] && ending.error.isEmpty, "\(ending.output)\(ending.error)")
    }

    /// On a terminal without keys it is drawn in its place, no further down than there is room for, and leaves the terminal as it was.
    @Test func isDrawnInItsPlaceOnATerminal() async throws {
        let outbox = try await TestOutbox.migrated()
        for number in 0..<30 { try await outbox.sql("SELECT {{schema}}.enqueue('destination \(number)', 'x')::text") }
        let ending = try await outbox.shell(
            """
            eventually() { n=0; until "$@"; do n=$((n + 1)); [ $n -lt 3000 ] || exit 99; sleep 0.01; done; }
            folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
            mkfifo "$folder/keys"; : >"$folder/out"
            command='stty rows 12 cols 40; exec "$outbox" status --postgres "$url" --schema "$schema" --watch --interval 50ms </dev/null'
            TERM=xterm NO_COLOR= script -qec "$command" /dev/null <"$folder/keys" >"$folder/out" & watch=$!
            exec 3>"$folder/keys"
            # The second time it goes up by as many lines as it has drawn.
            drawn() { grep -q "$(printf '\\033\\[11A')" "$folder/out"; }
            eventually drawn
            # Ctrl-C.
            printf '\\003' >&3
            wait $watch
            echo "status $?" >&2
            cat "$folder/out"
            """)
        #expect(ending.error == "status 0\n", "\(ending.output)")
        let frames = ending.output.components(separatedBy: "\u{1B}[?25l\u{1B}[?7l").dropFirst()
        #expect(frames.count >= 2)
        for frame in frames.dropLast() {
            // 30 destinations have not enough room, so all there is is used, but for the line of the cursor.
            #expect(frame.unicodeScalars.count { $0 == "\n" } == 11, "\(frame)")
            #expect(frame.contains("lines more") && frame.contains("\u{1B}[1m"))
            // The terminal shows the Ctrl-C itself.
            #expect(frame.replacing("^C", with: "").hasSuffix("\u{1B}[?7h\u{1B}[?25h"))
        }
    }
}
