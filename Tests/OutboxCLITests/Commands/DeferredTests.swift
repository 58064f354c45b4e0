import Testing

/// `outbox deferred`.
@Suite(.timeLimit(.minutes(5))) struct DeferredTests {
    /// Three messages that were refused, one behind the first of them, and one for tomorrow.
    private func refused() async throws -> TestOutbox {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "mail", "one", "--key", "k")
        try await outbox("enqueue", "mail", "two", "--key", "k")
        try await outbox("enqueue", "mail", "three")
        try await outbox("enqueue", "bill", "four")
        try await outbox("enqueue", "later", "five", "--deliver-at", "2100-01-01T00:00:00Z")
        let ending = try await outbox.shell(
            """
            trap 'kill -s KILL $relay 2>/dev/null' EXIT
            "$outbox" relay "$@" --initial-delay 1h --max-delay 1h --no-breaker \\
                --route later=stdout --route 'mail=exec:echo "connection refused: port $((5000 + OUTBOX_ID))" >&2; exit 1' \\
                --route 'bill=exec:echo "no such account" >&2; exit 1' 2>/dev/null & relay=$!
            n=0; until [ "$("$outbox" deferred list "$@" --json | grep -o '"id"' | wc -l)" -ge 5 ]; do
                n=$((n + 1)); [ $n -lt 1000 ] || exit 1; sleep 0.02
            done
            kill -s TERM $relay; wait $relay; echo "status $?"
            """)
        #expect(ending.lines == ["status 0"])
        return outbox
    }

    private func ids(_ outbox: TestOutbox, _ filter: String...) async throws -> Set<Int> {
        let ending = try await Program.outbox(
            ["deferred", "list", "--json", "--postgres", outbox.url, "--schema", outbox.schema] + filter)
        return Set(try ending.json().array.compactMap { $0["id"].int })
    }

    @Test func listsGroupsAndShows() async throws {
        let outbox = try await self.refused()
        #expect(try await self.ids(outbox) == [1, 2, 3, 4, 5])
        #expect(try await self.ids(outbox, "--destination", "bill") == [4])
        #expect(try await self.ids(outbox, "--error", "refused") == [1, 3])
        #expect(try await self.ids(outbox, "--older-than", "1h") == [])
        try await outbox("deferred", "list", "--subscription", "other", status: 1)
        let table = try await outbox("deferred", "list").output
        #expect(table.contains("behind its key") && table.contains("connection refused: port 5001"), "\(table)")
        // What differs by a number has failed alike; what was not tried has not failed.
        let groups = try await outbox("deferred", "list", "--group-by", "error", "--json").json().array
        #expect(groups.map { $0["messages"].int } == [2, 1])
        #expect(groups.map { $0["destination"].string } == ["mail", "bill"])
        #expect(groups[0]["error"].string == "connection refused: port 5001")
        let one = try await outbox("deferred", "show", "1", "--json").json()
        #expect(one["payload"].string == "one" && one["attempts"].int == 1 && !one["next_attempt_at"].isNull)
        let behind = try await outbox("deferred", "show", "2").output
        #expect(behind.contains("behind its key") && behind.contains("two"))
        try await outbox("deferred", "show", "99", status: 1)
        // Nobody delivers these, and their age is not the log's alone.
        let check = try await outbox("status", "--check", "--max-age", "0s", status: 2).output
        #expect(check.contains("mail: not served, the oldest deferred message waits"), "\(check)")
    }

    @Test func retriesAtOnce() async throws {
        let outbox = try await self.refused()
        try await outbox("deferred", "retry", status: 64)
        #expect(
            try await outbox("deferred", "retry", "--all", "--dry-run").output == "would retry 3 deferred messages\n")
        #expect(
            try await outbox("deferred", "retry", "--destination", "bill").output == "made due 1 deferred message\n")
        #expect(try await outbox("relay", "--route", "bill=stdout", "--until-empty").lines.count == 1)
        #expect(try await outbox("deferred", "retry", "--all").output == "made due 2 deferred messages\n")
        // The one behind the first of its key follows it; the one for tomorrow stays until it is named.
        let delivered = try await outbox("relay", "--route", "mail=stdout", "--until-empty").lines
        let order = delivered.compactMap { line in ["one", "two"].first { line.contains("\"\($0)\"") } }
        #expect(delivered.count == 3 && order == ["one", "two"], "\(delivered)")
        #expect(try await self.ids(outbox) == [5])
        #expect(try await outbox("deferred", "retry", "5").output == "made due 1 deferred message\n")
        #expect(try await outbox("relay", "--route", "later=stdout", "--until-empty").lines.count == 1)
    }

    @Test func discards() async throws {
        let outbox = try await self.refused()
        let asked = try await outbox("deferred", "discard", "--destination", "mail", status: 64)
        #expect(asked.error.contains("would discard 3 deferred messages") && asked.error.contains("add --yes"))
        #expect(try await self.ids(outbox).count == 5)
        // What waits behind it goes on.
        #expect(try await outbox("deferred", "discard", "1").output == "discarded 1 deferred message\n")
        #expect(
            try await outbox("deferred", "discard", "--error", "refused", "--yes").output
                == "discarded 1 deferred message\n")
        let delivered = try await outbox("relay", "--route", "mail=stdout", "--until-empty").lines
        #expect(delivered.count == 1 && delivered[0].contains("\"two\""), "\(delivered)")
        #expect(try await self.ids(outbox) == [4, 5])
    }

    @Test func deadLettersAreGroupedToo() async throws {
        let outbox = try await TestOutbox.migrated()
        for number in 1...3 { try await outbox("enqueue", "mail", "\(number)") }
        try await outbox(
            "relay", "--route", "mail=exec:echo \"no mailbox $((1000 + OUTBOX_ID))\" >&2; exit 65", "--until-empty",
            status: 2)
        let groups = try await outbox("dead-letter", "list", "--group-by", "error", "--json").json().array
        #expect(groups.map { $0["messages"].int } == [3] && groups[0]["reason"].string == "rejected")
        #expect(try await outbox("dead-letter", "list", "--group-by", "error").lines[1].contains("no mailbox 1001"))
    }
}
