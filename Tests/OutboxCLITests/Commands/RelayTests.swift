import Foundation
import TestSupport
import Testing

/// `outbox relay`: its sinks.
@Suite(.timeLimit(.minutes(10))) struct RelayTests {
    @Test func writesALinePerMessageToStdout() async throws {
        let outbox = try await TestOutbox.migrated()
        let lines = [
            #"{"destination":"bus","route":"a.b","key":"k","headers":{"h":"v"},"payload":"\"\u0001\n\\ü😀"}"#,
            #"{"destination":"raw","payload_base64":"/wA="}"#,
        ]
        try await outbox("enqueue", "--from", "-", input: lines.joined(separator: "\n"))
        let ending = try await outbox("relay", "--route", "*=stdout", "--until-empty")
        let messages = try ending.lines.map { try JSON($0) }
        #expect(messages.count == 2)
        let bus = try #require(messages.first { $0["destination"].string == "bus" })
        #expect(bus.names == ["id", "destination", "route", "key", "headers", "created_at", "attempt", "payload"])
        #expect(bus["id"].int == 1 && bus["attempt"].int == 1 && bus["route"].string == "a.b")
        #expect(bus["key"].string == "k" && bus["headers"]["h"].string == "v")
        #expect(bus["payload"].string == "\"\u{1}\n\\ü😀")
        #expect(bus["created_at"].string?.hasSuffix("Z") == true)
        let raw = try #require(messages.first { $0["destination"].string == "raw" })
        #expect(raw["payload_base64"].string == "/wA=" && raw["route"].isNull && raw["key"].isNull)
        #expect(raw["headers"].names.isEmpty)
    }

    @Test func nothingIsWrittenTwice() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "bus", "1")
        #expect(try await outbox("relay", "--route", "bus=stdout", "--once").lines.count == 1)
        #expect(try await outbox("relay", "--route", "bus=stdout", "--once").lines.isEmpty)
        #expect(try await outbox("relay", "--route", "bus=stdout", "--once", "--subscription", "b").lines.count == 1)
    }

    @Test func whatItWritesCanBeEnqueuedAgain() async throws {
        let first = try await TestOutbox.migrated()
        let second = try await TestOutbox.migrated()
        let lines = (0..<5000).map { #"{"destination":"d","key":"\#($0 % 50)","payload":"\#($0)"}"# }
        try await first("enqueue", "--from", "-", input: lines.joined(separator: "\n"))
        let out = try await first("relay", "--route", "*=stdout", "--until-empty", "--log-level", "error")
        try await second("enqueue", "--from", "-", input: out.output)
        // In the order of each key, and all of them.
        let payloads = try out.lines.map { try JSON($0) }.map {
            ($0["key"].string, $0["payload"].string.flatMap { Int($0) })
        }
        #expect(Set(payloads.map(\.1)).count == 5000)
        var last: [String?: Int] = [:]
        for (key, number) in payloads {
            let number = try #require(number)
            #expect(number > last[key] ?? -1)
            last[key] = number
        }
        #expect(try await second.count("message") == 5000)
    }

    @Test func appendsToAFileAndLeavesHalfALineBehind() async throws {
        let outbox = try await TestOutbox.migrated()
        try await withTemporaryFolder { folder in
            let path = folder + "/out.ndjson"
            try #"{"id":0,"dest"#.write(toFile: path, atomically: true, encoding: .utf8)
            try await outbox("enqueue", "audit", "1")
            try await outbox("enqueue", "noise", "2")
            try await outbox("relay", "--route", "audit=file:\(path)", "--route", "*=discard", "--until-empty")
            let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
            #expect(lines.count == 2)
            #expect(try JSON(lines[1])["payload"].string == "1")
        }
        let ending = try await outbox("relay", "--route", "audit=file:/nonexistent/file", "--once", status: 73)
        #expect(ending.error.contains("/nonexistent/file"))
    }

    /// What copies from file to file without reading does not lock the place that they have in common.
    @Test func commandsThatShareAFileLoseNothing() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox.sql(
            "INSERT INTO {{schema}}.message (destination, payload) SELECT 'd', convert_to('m' || i || chr(10), 'UTF8') FROM generate_series(1, 300) AS i"
        )
        let ending = try await outbox.shell(
            """
            folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
            "$outbox" relay "$@" --route d=exec:cat --concurrency 16 --until-empty >"$folder/out" 2>/dev/null
            cat "$folder/out"
            """)
        #expect(Set(ending.lines).count == 300)
    }

    /// More of different keys than would have a relay that runs for ever take the destination for down.
    @Test func untilEmptyEndsThoughEverythingFails() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox.sql(
            "INSERT INTO {{schema}}.message (destination, key, payload) SELECT 'd', i::text, '' FROM generate_series(1, 40) AS i"
        )
        try await outbox(
            "relay", "--until-empty", "--route", "d=exec:exit 1", "--max-attempts", "2", "--initial-delay", "1ms",
            "--max-delay", "1ms", status: 2)
        #expect(try await outbox.sql("SELECT count(*)::text FROM {{schema}}.dead_letter WHERE attempts = 2") == ["40"])
        #expect(try await outbox.count("deferred") == 0)
    }

    @Test func followsAFileThatIsRotated() async throws {
        let outbox = try await TestOutbox.migrated()
        try await withTemporaryFolder { folder in
            let ending = try await outbox.shell(
                """
                "$outbox" relay "$@" --route d=file:\(folder)/out 2>\(folder)/err &
                holds() { n=0; until grep -q "$1" "$2" 2>/dev/null; do n=$((n + 1)); [ $n -lt 3000 ] || exit 99; sleep 0.01; done; }
                "$outbox" enqueue d first "$@" >/dev/null
                holds first \(folder)/out
                mv \(folder)/out \(folder)/out.1
                "$outbox" enqueue d second "$@" >/dev/null
                holds second \(folder)/out
                rm \(folder)/out
                "$outbox" enqueue d third "$@" >/dev/null
                holds third \(folder)/out
                kill $!
                wait $!
                cat \(folder)/out.1 \(folder)/out
                """)
            let payloads = try ending.lines.map { try JSON($0)["payload"].string }
            #expect(payloads == ["first", "third"], "\(ending.output)\(ending.error)")
        }
    }

    @Test func runsACommandPerMessage() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "mail", "the payload", "--route", "r", "--key", "k", "--header", "h=v")
        let command =
            #"printf '%s|' "$OUTBOX_ID" "$OUTBOX_DESTINATION" "$OUTBOX_ROUTE" "$OUTBOX_KEY" "$OUTBOX_ATTEMPT" "$OUTBOX_HEADERS"; cat"#
        let ending = try await outbox("relay", "--route", "mail=exec:\(command)", "--until-empty")
        #expect(ending.output == #"1|mail|r|k|1|{"h": "v"}|the payload"#)
    }

    @Test func aCommandNeedNotReadItsInput() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox.sql(
            "INSERT INTO {{schema}}.message (destination, payload) SELECT 'big', convert_to(repeat('x', 2000000), 'UTF8') FROM generate_series(1, 5)"
        )
        try await outbox("relay", "--route", "big=exec:true", "--until-empty")
        #expect(try await outbox.count("dead_letter") == 0)
    }

    @Test func headersThatFitIntoNoEnvironmentAreRejected() async throws {
        let outbox = try await TestOutbox.migrated()
        // More than enqueueing allows: rows from before a limit, or put in by hand.
        try await outbox.sql("ALTER TABLE {{schema}}.message DROP CONSTRAINT message_is_valid")
        try await outbox.sql(
            """
            INSERT INTO {{schema}}.message (destination, payload, headers)
            SELECT 'd', '', jsonb_build_object('h', repeat('x', size)) FROM unnest(ARRAY[131000, 131100]) AS size
            """)
        try await outbox("relay", "--route", "d=exec:true", "--until-empty", status: 2)
        let dead = try await outbox.sql("SELECT concat_ws('|', id, reason, last_error) FROM {{schema}}.dead_letter")
        #expect(dead.count == 1 && dead[0].hasPrefix("2|rejected|the headers have 131109 bytes"), "\(dead)")
    }

    @Test func theExitStatusOfACommandDecides() async throws {
        let outbox = try await TestOutbox.migrated()
        try await withTemporaryFolder { folder in
            for status in [0, 1, 65, 69] { try await outbox("enqueue", "mail", "\(status)", "--key", "\(status)") }
            // Unavailable for two times, then well.
            let command = """
                status=$(cat)
                if [ $status = 69 ]; then echo x >>\(folder)/down; [ $(wc -l <\(folder)/down) -gt 2 ] && exit 0; fi
                echo first >&2; echo "last $status" >&2; exit $status
                """
            let ending = try await outbox(
                "relay", "--route", "mail=exec:\(command)", "--until-empty", "--max-attempts", "2", "--initial-delay",
                "1ms", "--events", status: 2)
            let dead = try await outbox.sql(
                "SELECT concat_ws('|', convert_from(payload, 'UTF8'), reason, attempts, last_error) FROM {{schema}}.dead_letter ORDER BY id"
            )
            #expect(dead == ["1|exhausted|2|last 1", "65|rejected|1|last 65"])
            let events = try ending.error.split(separator: "\n").filter { $0.hasPrefix("{") }.map {
                try JSON(String($0))
            }
            #expect(events.first?["event"].string == "started" && events.last?["event"].string == "stopped")
            #expect(events.filter { $0["event"].string == "dead_lettered" }.count == 2)
            #expect(events.filter { $0["event"].string == "delivered" }.count == 2)
            let retried = events.filter { $0["event"].string == "retried" && $0["error"].string == "last 1" }
            #expect(retried.count == 1 && retried[0]["attempts"].int == 1)
        }
    }

    /// It is killed, with what it has started, and the message is tried again.
    @Test func aCommandThatHangs() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "mail", "one")
        try await withTemporaryFolder { folder in
            let command = "if [ -e \(folder)/hung ]; then exit 0; fi; touch \(folder)/hung; sleep 86400 | sleep 86401"
            try await outbox(
                "relay", "--route", "mail=exec:\(command)", "--until-empty", "--timeout", "1s", "--initial-delay",
                "1ms",
                "--log-level", "debug")
            let last = try await outbox.sql("SELECT count(*)::text FROM {{schema}}.dead_letter")
            #expect(last == ["0"])
        }
        try await outbox("relay", "--route", "mail=discard", "--timeout", "0s", status: 64)
    }

    /// What a program reads of a relay's stderr: each line is of the format that was asked for, and says when.
    @Test func theLogAndEventsForPrograms() async throws {
        let outbox = try await TestOutbox.migrated()
        let relay = [
            "relay", "--route", "mail=exec:echo 'no \"such\" box' >&2; exit 65", "--until-empty", "--log-format",
        ]
        try await outbox("enqueue", "mail", "one")
        let ending = try await outbox(relay + ["json", "--events-of", "dead_lettered,stopped"], status: 2)
        let lines = try ending.error.split(separator: "\n").filter { $0.hasPrefix("{") }.map { try JSON(String($0)) }
        #expect(lines.allSatisfy { $0["time"].string?.hasSuffix("Z") == true })
        #expect(lines.compactMap { $0["event"].string } == ["dead_lettered", "stopped"])
        let error = lines.filter { $0["level"].string == "error" }
        #expect(
            error.count == 1 && error[0]["outbox.error"].string == "no \"such\" box"
                && error[0]["outbox.id"].string == "1")
        #expect(
            ending.error.split(separator: "\n").filter { !$0.hasPrefix("{") }.count == 1,
            "the last word is for a person: \(ending.error)")
        try await outbox("enqueue", "mail", "two")
        let words = try await outbox(relay + ["logfmt"], status: 2)
        #expect(
            words.error.contains(
                #" level=error logger=outbox.relay message="A message was not delivered and is a dead letter now""#))
        #expect(words.error.contains(#" outbox.error="no \"such\" box""#))
        for wrong in [["--log-format", "xml"], ["--events-of", "dead"], ["--events-of", ""]] {
            try await outbox(["relay", "--route", "mail=discard"] + wrong, status: 64)
        }
    }

    @Test(arguments: [["--poll", "20ms"], ["--no-fallback-poll"], ["--unordered", "--page", "7", "--window", "20"]])
    func deliversWithEachOption(options: [String]) async throws {
        let outbox = try await TestOutbox.migrated()
        let lines = (0..<200).map { #"{"destination":"d","key":"\#($0 % 5)","payload":"\#($0)"}"# }
        try await outbox("enqueue", "--from", "-", input: lines.joined(separator: "\n"))
        let ending = try await Program.outbox(
            ["relay", "--route", "d=stdout", "--until-empty", "--postgres", outbox.url, "--schema", outbox.schema]
                + options)
        #expect(ending.lines.count == 200)
    }

    @Test func anEmptyOutboxIsNothingToWaitFor() async throws {
        let outbox = try await TestOutbox.migrated()
        #expect(try await outbox("relay", "--route", "*=stdout", "--until-empty").output.isEmpty)
    }

    /// The first message of a destination that there was none for when the relay began.
    @Test func aDestinationThatComesLaterIsPickedUp() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "early", "1")
        // It ends when its reader has gone.
        async let relayed = outbox.shell(#""$outbox" relay "$@" --route '*=stdout' | head -n 4"#)
        for number in 2...4 {
            try await eventually("number \(number - 1) is delivered") {
                try await outbox.count("stream WHERE position >= \(number - 1)") > 0
            }
            try await outbox("enqueue", "late \(number)", "\(number)")
        }
        #expect(
            try await relayed.lines.map { try JSON($0)["destination"].string } == [
                "early", "late 2", "late 3", "late 4",
            ])
    }
}
