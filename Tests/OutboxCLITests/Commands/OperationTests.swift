import Testing

/// `outbox status` and `outbox dead-letter`.
@Suite(.timeLimit(.minutes(10))) struct OperationTests {
    /// An outbox with a dead letter of each reason, and something that waits.
    private func troubled() async throws -> TestOutbox {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "mail", "refuse me", "--key", "k", "--route", "r")
        try await outbox("enqueue", "bill", "fail")
        let mail = try await outbox(
            "relay", "--route", "mail=exec:echo 'bad address' >&2; exit 65", "--until-empty", status: 2)
        #expect(mail.error.contains("1 message is a dead letter now"))
        // Why is in the log as well, and nothing of the message.
        #expect(
            mail.error.contains("outbox.error=\"bad address\"") && !mail.error.contains("refuse me"), "\(mail.error)")
        try await outbox(
            "relay", "--route", "bill=exec:echo 'connection refused' >&2; exit 1", "--max-attempts", "1",
            "--until-empty",
            status: 2)
        try await outbox("enqueue", "nobody", "waits")
        return outbox
    }

    @Test func statusShowsWhatWaits() async throws {
        let outbox = try await self.troubled()
        let table = try await outbox("status")
        #expect(table.output.contains("no relay is working"))
        #expect(table.output.contains("no relay delivers: nobody"))
        let status = try await outbox("status", "--json").json()
        #expect(status["subscription"].string == "main" && status["relays"].array.isEmpty)
        let mail = try #require(status["streams"].array.first { $0["destination"].string == "mail" })
        #expect(mail["waiting"].int == 0 && mail["dead"].int == 1 && mail["deferred"].int == 0)
        #expect(status["unregistered"][0]["destination"].string == "nobody")
        #expect(status["unregistered"][0]["waiting"].int == 1)
        #expect(status["unregistered"][0]["state"].string == "never served" && mail["state"].string == "not served")
        #expect(status["segments"].array.count == 4)
        // Trouble first.
        #expect(table.lines.contains { $0.hasPrefix("nobody") && $0.contains("never served") }, "\(table.output)")
        #expect(!table.output.contains("open"))
    }

    @Test func aCheckedStatusSaysWhetherAllIsWell() async throws {
        let outbox = try await self.troubled()
        let bad = try await outbox("status", "--check", "--max-age", "0s", status: 2)
        #expect(bad.lines.count == 4, "\(bad.output)")
        for text in [
            "no relay is working", "nobody: never served, the oldest message waits", "mail: 1 dead letter",
            "bill: 1 dead",
        ] {
            #expect(bad.output.contains(text), "\(bad.output)")
        }
        let json = try await outbox("status", "--check", "--max-dead", "1", "--json", status: 2).json()
        #expect(json["ok"].bool == false && json["findings"].array.count == 1)
        let busy = try await outbox("status", "--check", "--max-waiting", "0", status: 2)
        #expect(busy.output.contains("nobody: 1 message waits"), "\(busy.output)")
        try await outbox("status", "--max-age", "1s", status: 64)
        let empty = try await TestOutbox.migrated()
        // Nobody has looked after it yet, or the name is another one.
        let never = try await empty("status", "--check", "--subscription", "typo", status: 2)
        #expect(never.output.contains("no relay has ever worked for the subscription “typo”"))
    }

    @Test func listsWithFilters() async throws {
        let outbox = try await self.troubled()
        #expect(try await outbox("dead-letter", "list").lines.count == 3)
        func ids(_ filter: String...) async throws -> [Int?] {
            let ending = try await Program.outbox(
                ["dead-letter", "list", "--json", "--postgres", outbox.url, "--schema", outbox.schema] + filter)
            return try ending.json().array.map { $0["id"].int }
        }
        #expect(try await ids() == [2, 1])
        #expect(try await ids("--destination", "mail") == [1])
        #expect(try await ids("--reason", "exhausted") == [2])
        #expect(try await ids("--error", "refused") == [2])
        #expect(try await ids("--older-than", "1h") == [])
        #expect(try await ids("--newer-than", "1h", "--limit", "1") == [2])
        try await outbox("dead-letter", "list", "--subscription", "other", status: 1)
    }

    @Test func showsOne() async throws {
        let outbox = try await self.troubled()
        let letter = try await outbox("dead-letter", "show", "1", "--json").json()
        #expect(letter["payload"].string == "refuse me" && letter["error"].string == "bad address")
        #expect(letter["reason"].string == "rejected" && letter["attempts"].int == 1 && letter["key"].string == "k")
        let text = try await outbox("dead-letter", "show", "1")
        #expect(text.output.contains("bad address") && text.output.contains("refuse me"))
        let none = try await outbox("dead-letter", "show", "999", status: 1)
        #expect(none.error.contains("999"))
    }

    @Test func aPayloadCannotPlayWithTheTerminal() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox("enqueue", "mail", "a\u{1B}[2Jb\u{07}")
        let relayed = try await outbox(
            "relay", "--route", "mail=exec:printf '\\033[2J' >&2; exit 65", "--until-empty", status: 2)
        #expect(!relayed.error.contains("\u{1B}"))
        for arguments in [["list"], ["show", "1"]] {
            let ending = try await Program.outbox(
                ["dead-letter"] + arguments + ["--postgres", outbox.url, "--schema", outbox.schema])
            #expect(!ending.output.contains("\u{1B}") && !ending.output.contains("\u{07}"))
        }
    }

    @Test func replaysWhatIsNamed() async throws {
        let outbox = try await self.troubled()
        #expect(try await outbox("dead-letter", "replay", "--dry-run").output == "would replay 2 dead letters\n")
        #expect(try await outbox("dead-letter", "replay", "1", "999", "--json").json()["count"].int == 1)
        #expect(try await outbox.count("dead_letter") == 1)
        let again = try await outbox("relay", "--route", "mail=stdout", "--until-empty")
        #expect(try JSON(again.output)["id"].int == 1)
        #expect(try JSON(again.output)["attempt"].int == 1)
    }

    @Test func discardsWhatIsNamed() async throws {
        let outbox = try await self.troubled()
        try await outbox("dead-letter", "discard", status: 64)
        try await outbox("dead-letter", "discard", "1", "--all", status: 64)
        for noun in ["dead-letter", "deferred"] {
            let contradiction = try await outbox(noun, "discard", "--all", "--dry-run", "--yes", status: 64)
            #expect(contradiction.error.contains("exclude each other"))
        }
        let dry = try await outbox("dead-letter", "discard", "--destination", "mail", "--dry-run", "--json").json()
        #expect(dry["count"].int == 1 && dry["dry_run"].bool == true)
        #expect(
            try await outbox("dead-letter", "discard", "--destination", "mail", "--yes").output
                == "discarded 1 dead letter\n")
        // Without a terminal nothing is thrown away that was not counted.
        let refused = try await outbox("dead-letter", "discard", "--all", status: 64)
        #expect(refused.error.contains("would discard 1 dead letter") && refused.error.contains("add --yes"))
        #expect(try await outbox("dead-letter", "discard", "--all", "--yes").output == "discarded 1 dead letter\n")
        #expect(try await outbox("dead-letter", "list").output == "no dead letters\n")
    }

    /// A relay that delivers whatever comes is at work before the first message has come.
    @Test func aRelayOfAnEmptyOutboxIsAtWork() async throws {
        let outbox = try await TestOutbox.migrated()
        let ending = try await outbox.shell(
            #"""
            "$outbox" relay --route '*=stdout' "$@" >/dev/null 2>&1 & relay=$!
            n=0; until "$outbox" status --check "$@" >/dev/null || [ $n -gt 300 ]; do n=$((n + 1)); done
            "$outbox" status --check "$@"
            "$outbox" status "$@" | sed -n '1s/process .*, /process, /p'
            "$outbox" doctor "$@" | grep -c 'none is working'
            kill -TERM $relay; wait $relay
            "$outbox" status --check "$@"; echo $?
            """#)
        #expect(
            ending.lines == [
                "all is well", "relay: server process, waits for the first message", "0",
                "no relay has ever worked for the subscription “main”", "2",
            ], "\(ending)")
    }

    /// One that is misspelt is not well because nothing is found of it.
    @Test func aSubscriptionThatThereIsNotIsRefused() async throws {
        let outbox = try await self.troubled()
        for words in [
            ["status"], ["dead-letter", "list"], ["deferred", "list"], ["deferred", "list", "--group-by", "error"],
        ] {
            let ending = try await Program.outbox(
                words + ["--subscription", "mian", "--postgres", outbox.url, "--schema", outbox.schema], status: 1)
            #expect(ending.error.contains("There is no subscription “mian”"), "\(words): \(ending)")
        }
    }

    /// A person who says yes has said so to the number that was shown, and not to what has come meanwhile.
    @Test func whatComesWhileItIsAskedIsNotDiscarded() async throws {
        let outbox = try await self.troubled()
        let died = """
            INSERT INTO {{schema}}.dead_letter (id, destination, payload, created_at, attempts, reason)
            VALUES (4711, 'mail', '', now(), 1, 'rejected')
            """
        let ending = try await PseudoTerminal.run(
            #"exec "$outbox" dead-letter discard --all "$@""#, on: outbox, width: 160
        ) {
            terminal in
            try await terminal.shows("what is asked") {
                $0.has("would discard 2 dead letters") && $0.has("discard them? [y/N]")
            }
            try await outbox.sql(died)
            terminal.type("y\n")
            try await terminal.shows("why not") {
                $0.has("by now it would be 3 dead letters, more than was asked about: nothing was discarded")
            }
        }
        #expect(ending.status == 1)
        #expect(try await outbox.count("dead_letter") == 3)
        let again = try await PseudoTerminal.run(
            #"exec "$outbox" dead-letter discard --all "$@""#, on: outbox, width: 160
        ) {
            terminal in
            try await terminal.shows("what is asked") { $0.has("discard them? [y/N]") }
            terminal.type("y\n")
            try await terminal.shows("that it is done") { $0.has("discarded 3 dead letters") }
        }
        #expect(again.status == 0)
        #expect(try await outbox.count("dead_letter") == 0)
    }
}

extension TerminalScreen {
    fileprivate func has(_ text: String) -> Bool { self.lines.contains { $0.contains(text) } }
}
