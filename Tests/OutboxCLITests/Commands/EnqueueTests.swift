import Foundation
import Testing

/// `outbox enqueue`.
@Suite(.timeLimit(.minutes(10))) struct EnqueueTests {
    @Test func enqueuesOneMessage() async throws {
        let outbox = try await TestOutbox.migrated()
        let ending = try await outbox(
            "enqueue", "bus", #"{"a":"ü"}"#, "--route", "a.b", "--key", "k", "--header", "h=v=w", "--max-attempts", "3",
            "--max-delay", "30s", "--deliver-at", "2030-01-31T12:00:00+01:00", "--json")
        #expect(try ending.json()["enqueued"].int == 1 && ending.json()["id"].int == 1)
        let row = try await outbox.sql(
            """
            SELECT concat_ws('|', destination, convert_from(payload, 'UTF8'), route, key, headers->>'h',
                options->>'max_attempts', (options->>'max_delay')::float, deliver_at AT TIME ZONE 'UTC')
            FROM {{schema}}.message
            """)
        #expect(row == [#"bus|{"a":"ü"}|a.b|k|v=w|3|30|2030-01-31 11:00:00"#])
    }

    @Test func enqueuesOnceForAnIdempotencyKey() async throws {
        let outbox = try await TestOutbox.migrated()
        for payload in ["first", "second"] {
            let ending = try await outbox("enqueue", "bus", payload, "--idempotency-key", "a", "--json")
            #expect(try ending.json()["id"].int == 1)
        }
        let week = try await outbox("enqueue", "bus", "x", "--idempotency-key", "b", "--idempotency-window", "7d")
        #expect(week.output == "enqueued 2\n")
        let rows = try await outbox.sql(
            "SELECT concat(key, ' ', round(extract(epoch FROM expires_at - now()) / 86400)) FROM {{schema}}.idempotency ORDER BY 1"
        )
        #expect(rows == ["a 1", "b 7"])
        #expect(try await outbox.count("message") == 2)
        try await outbox("enqueue", "--from", "-", "--idempotency-key", "a", status: 64)
        let empty = try await outbox("enqueue", "bus", "x", "--idempotency-key", "", status: 65)
        #expect(empty.error.contains("idempotencyKey"))
        // A window without a key has no effect.
        try await outbox("enqueue", "bus", "x", "--idempotency-window", "7d", status: 64)
        try await outbox("enqueue", "--from", "-", "--idempotency-window", "7d", input: "")
    }

    @Test func linesMayHaveIdempotencyKeys() async throws {
        let outbox = try await TestOutbox.migrated()
        let lines = (0..<3000).map { number in
            // Long runs with and without a key, keys that repeat, and none in the beginning.
            let key = number < 500 || number % 7 == 0 ? "null" : #""\#(number % 1000)""#
            return #"{"destination":"bus","payload":"\#(number)","idempotency_key":\#(key)}"#
        }
        for round in 1...2 {
            let ending = try await outbox("enqueue", "--from", "-", input: lines.joined(separator: "\n"))
            #expect(ending.output == "enqueued 3,000 messages\n")
            let keyed = Set((500..<3000).filter { $0 % 7 != 0 }.map { $0 % 1000 }).count
            let unkeyed = (0..<3000).count { $0 < 500 || $0 % 7 == 0 }
            #expect(try await outbox.count("message") == keyed + unkeyed * round)
        }
        let ordered = try await outbox.sql(
            "SELECT convert_from(payload, 'UTF8') FROM {{schema}}.message ORDER BY id LIMIT 502")
        #expect(ordered == (0..<502).map { "\($0)" })
        let first = #"{"destination":"bus","payload":"","idempotency_key":"new"}"#
        let ending = try await outbox("enqueue", "--from", "-", input: first + "\n{}", status: 65)
        #expect(ending.error.contains("line 2"))
        #expect(try await outbox.sql("SELECT key FROM {{schema}}.idempotency WHERE key = 'new'").isEmpty)
    }

    @Test func copiesLinesFromStdin() async throws {
        let outbox = try await TestOutbox.migrated()
        let lines = [
            // A byte order mark first.
            "\u{FEFF}" + #"{"destination":"bus","payload":"plain \u00fc \ud83d\ude00","key":"k","headers":{"h":"v"}}"#,
            "", "  ",
            #"{"destination":"bus","payload_base64":"/wA="}"#,
            #"{"destination":"bus","payload_json":{"b":1.50,"a":[true,null]},"max_attempts":2,"max_delay":1.5}"#,
            #"{"id":7,"attempt":1,"created_at":"x","destination":"bus","route":null,"payload":"","deliver_at":"2030-01-31T12:00:00.5Z"}"#,
        ]
        let ending = try await outbox("enqueue", "--from", "-", "--json", input: lines.joined(separator: "\n"))
        #expect(try ending.json()["enqueued"].int == 4)
        let payloads = try await outbox.sql("SELECT encode(payload, 'hex') FROM {{schema}}.message ORDER BY id")
        let expected = ["plain ü 😀", nil, #"{"b":1.50,"a":[true,null]}"#, ""].map { text in
            text.map { $0.utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() } ?? "ff00"
        }
        #expect(payloads == expected)
        #expect(
            try await outbox.sql("SELECT options::text FROM {{schema}}.message WHERE options IS NOT NULL").count == 1)
    }

    @Test func copiesAFileOfManyLines() async throws {
        let outbox = try await TestOutbox.migrated()
        try await withTemporaryFolder { folder in
            let lines = (1...20_000).map { #"{"destination":"d\#($0 % 3)","key":"\#($0)","payload":"message \#($0)"}"# }
            try lines.joined(separator: "\n").write(toFile: folder + "/in", atomically: true, encoding: .utf8)
            let ending = try await outbox("enqueue", "--from", folder + "/in")
            #expect(ending.output == "enqueued 20,000 messages\n")
        }
        #expect(try await outbox.count("message") == 20_000)
    }

    @Test(arguments: [
        ("not json", "line 3"), (#"{"destination":"a"}"#, "payload"), (#"{"payload":"a"}"#, "destination"),
        (#"{"destination":"","payload":"a"}"#, "destination"), (#"{"destination":"a","payload":1}"#, "payload"),
        (#"{"destination":"a","payload":"a","keyy":"a"}"#, "“key”"),
        (#"{"destination":"a","payload":"a","key":"\u0000"}"#, "key"),
        (#"{"destination":"a","payload":"a","headers":{"x":1}}"#, "headers"),
        (#"{"destination":"a","payload":"a","idempotency_key":""}"#, "idempotency_key"),
        (#"{"destination":"a","payload":"a","idempotency_key":7}"#, "idempotency_key"),
        (#"{"destination":"a","payload":"a","headers":{"x":"1","x":"2"}}"#, "twice"),
        (#"{"destination":"a","payload":"a","deliver_at":"tomorrow"}"#, "deliver_at"),
        (#"{"destination":"a","payload":"a","max_attempts":0}"#, "max_attempts"),
        (#"{"destination":"a","payload":"a","payload_json":1}"#, "payload_json"),
        (#"{"destination":"a","payload_base64":"%"}"#, "payload_base64"),
        (#"{"destination":"a","payload":"a","payload":"a"}"#, "twice"),
        (#"{"destination":"a","payload":"a"} x"#, "line 3"),
        (#"{"destination":"a","payload":"\ud800"}"#, "surrogate"), (#"["destination"]"#, "object"),
    ])
    func refusesABadLineAndEnqueuesNothing(line: String, named: String) async throws {
        let outbox = try await TestOutbox.migrated()
        let good = #"{"destination":"a","payload":"a"}"#
        let ending = try await outbox(
            "enqueue", "--from", "-", input: [good, good, line, good].joined(separator: "\n"), status: 65)
        #expect(ending.error.contains("line 3") && ending.error.contains(named))
        #expect(try await outbox.count("message") == 0)
    }

    @Test func refusesAnInvalidMessage() async throws {
        let outbox = try await TestOutbox.migrated()
        let ending = try await outbox("enqueue", String(repeating: "x", count: 256), "a", status: 65)
        #expect(ending.error.contains("destination"))
    }

    @Test func namesAFileThatIsNotThere() async throws {
        let outbox = try await TestOutbox.migrated()
        let ending = try await outbox("enqueue", "--from", "/nonexistent/file", status: 66)
        #expect(ending.error.contains("/nonexistent/file"))
    }
}
