import Testing

/// `outbox subscription`, and `outbox relay --from`.
@Suite(.timeLimit(.minutes(10))) struct SubscriptionTests {
    private func delivered() async throws -> TestOutbox {
        let outbox = try await TestOutbox.migrated()
        for text in ["one", "two", "three"] { try await outbox("enqueue", "mail", text) }
        try await outbox("relay", "--route", "mail=discard", "--until-empty")
        return outbox
    }

    @Test func aSubscriptionBeginsAtTheStartOrNow() async throws {
        let outbox = try await self.delivered()
        func lines(_ name: String, _ from: String...) async throws -> Int {
            let options = from.flatMap { ["--from", $0] }
            return try await Program.outbox(
                ["relay", "--subscription", name, "--route", "*=stdout", "--until-empty"] + options
                    + ["--postgres", outbox.url, "--schema", outbox.schema]
            ).lines.count
        }
        #expect(try await lines("now", "now") == 0)
        #expect(try await lines("start", "start") == 3)
        #expect(try await lines("usual") == 3)
        try await outbox("enqueue", "mail", "four")
        // Where there is a stream, the option says nothing.
        #expect(try await lines("now", "start") == 1)
        #expect(try await lines("start", "now") == 1)
        let wrong = try await outbox("relay", "--route", "*=stdout", "--from", "yesterday", status: 64)
        #expect(wrong.error.contains("start") && wrong.error.contains("now"))
    }

    @Test func listsAndDrops() async throws {
        let outbox = try await self.delivered()
        #expect(
            try await TestOutbox.migrated()("subscription", "list").output
                == "no subscriptions: no relay has worked yet\n")
        try await outbox(
            "relay", "--subscription", "reports", "--from", "now", "--route", "mail=discard", "--until-empty")
        try await outbox("enqueue", "mail", "four")
        try await outbox(
            "relay", "--subscription", "reports", "--route", "mail=exec:exit 65", "--until-empty", status: 2)
        try await outbox("enqueue", "mail", "five")
        let list = try await outbox("subscription", "list", "--json").json()
        #expect(list.array.map { $0["subscription"].string } == ["main", "reports"])
        #expect(list.array.map { $0["waiting"].int } == [2, 1] && list.array.map { $0["dead"].int } == [0, 1])
        #expect(
            list[1]["streams"].int == 1 && list[1]["destinations"].int == 1 && list[1]["waiting_exact"].bool == true)
        #expect(list[1]["relays"].array.isEmpty && list[1]["deferred"].int == 0)
        let table = try await outbox("subscription", "list")
        #expect(table.lines[0].hasPrefix("SUBSCRIPTION") && table.lines[2].hasPrefix("reports"))

        let would = "would drop reports: 1 stream, 1 message that waits, 0 deferred messages, 1 dead letter\n"
        #expect(try await outbox("subscription", "drop", "reports", "--dry-run").output == would)
        #expect(try await outbox("subscription", "drop", "reports", "--dry-run", "--json").json()[0]["dead"].int == 1)
        // Without a terminal there is none to ask.
        let unasked = try await outbox("subscription", "drop", "reports", status: 64)
        #expect(unasked.error.hasPrefix(would) && unasked.error.contains("--yes") && unasked.output.isEmpty)
        #expect(try await outbox.sql("SELECT count(*)::text FROM {{schema}}.stream") == ["2"])
        #expect(
            try await outbox("subscription", "drop", "reports", "--yes").output
                == "dropped reports: 1 stream, 0 deferred messages, 1 dead letter\n")
        #expect(try await outbox("subscription", "list", "--json").json().array.count == 1)
        for arguments in [["--yes"], ["--dry-run"]] {
            let missing = try await Program.outbox(
                ["subscription", "drop", "reports", "--postgres", outbox.url, "--schema", outbox.schema] + arguments,
                status: 1)
            #expect(missing.error.contains("outbox subscription list --schema \(outbox.schema)"))
        }
        let removed = try await outbox("subscription", "drop", "main", "--yes", "--json").json()
        #expect(removed["streams"].int == 1 && removed["dead"].int == 0 && removed["subscription"].string == "main")
        try await outbox("subscription", "drop", "main", "--yes", "--dry-run", status: 64)
        try await outbox("subscription", "drop", status: 64)
    }

    @Test func isNotDroppedUnderItsRelay() async throws {
        let outbox = try await self.delivered()
        let ending = try await outbox.shell(
            """
            "$outbox" relay "$@" --subscription reports --route mail=discard >/dev/null 2>&1 &
            relay=$!
            until "$outbox" subscription list "$@" | grep -q '^reports .* 1$'; do :; done
            "$outbox" subscription drop reports "$@" --yes
            echo $?
            "$outbox" subscription drop reports "$@" --dry-run
            "$outbox" subscription drop reports "$@"
            echo $?
            kill -s TERM $relay
            wait $relay
            echo $?
            until "$outbox" subscription drop reports "$@" --yes 2>/dev/null; do :; done
            """)
        #expect(
            ending.lines.first == "1"
                && ending.lines.contains { $0.hasPrefix("not while its relays run: server process") })
        #expect(ending.lines.suffix(3) == ["1", "0", "dropped reports: 1 stream, 0 deferred messages, 0 dead letters"])
        #expect(ending.error.contains("A relay of the subscription “reports” is at work: server process"))
        #expect(ending.error.contains("end its relays first"))
    }
}
