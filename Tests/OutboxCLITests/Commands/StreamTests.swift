import Testing

/// `outbox stream` and `outbox janitor`.
@Suite(.timeLimit(.minutes(10))) struct StreamTests {
    private func delivered() async throws -> TestOutbox {
        let outbox = try await TestOutbox.migrated()
        for text in ["one", "two", "three"] { try await outbox("enqueue", "mail", text) }
        try await outbox("relay", "--route", "mail=discard", "--until-empty")
        return outbox
    }

    @Test func listsStreams() async throws {
        let outbox = try await self.delivered()
        try await outbox("enqueue", "mail", "four")
        let list = try await outbox("stream", "list", "--json").json()
        #expect(list.array.count == 1)
        #expect(list[0]["destination"].string == "mail" && list[0]["position"].int == 3 && list[0]["waiting"].int == 1)
        #expect(list[0]["paused_at"].isNull && list[0]["dead"].int == 0 && list[0]["deferred"].int == 0)
        let table = try await outbox("stream", "list")
        #expect(table.lines[0].hasPrefix("DESTINATION") && table.lines[1].hasSuffix("not served"))
        #expect(try await outbox("stream", "list", "--subscription", "other").output.contains("no streams"))
    }

    @Test func pausesAndResumes() async throws {
        let outbox = try await self.delivered()
        #expect(try await outbox("stream", "pause", "mail").output == "paused mail\n")
        #expect(try await outbox("stream", "list").lines[1].contains("paused since"))
        try await outbox("enqueue", "mail", "four")
        // What is paused is not waited for.
        #expect(try await outbox("relay", "--route", "mail=stdout", "--until-empty").output == "")
        #expect(try await outbox("stream", "resume", "mail").output == "resumed mail\n")
        #expect(try await outbox("relay", "--route", "mail=stdout", "--until-empty").lines.count == 1)
        let none = try await outbox("stream", "pause", "fax", status: 1)
        #expect(none.error.contains("fax"))
    }

    @Test func splitsAndMerges() async throws {
        let outbox = try await self.delivered()
        #expect(
            try await outbox("stream", "split", "mail", "--into", "4").output
                == "split mail into 4 streams, of 1 before\n")
        #expect(try await outbox("stream", "split", "mail", "--into", "4").output == "mail has 4 streams already\n")
        let list = try await outbox("stream", "list", "--json").json()
        #expect(list.array.map { $0["slots"].array.map(\.int) } == [[0, 255], [256, 511], [512, 767], [768, 1023]])
        let refused = try await outbox("stream", "split", "mail", "--into", "5", status: 1)
        #expect(refused.error.contains("Merge them first"))
        for text in ["four", "five", "six"] { try await outbox("enqueue", "mail", text) }
        let full = try await outbox("stream", "merge", "mail", "--max-unread", "2", status: 1)
        #expect(full.error.contains("More than 2 messages"))
        #expect(
            try await outbox("stream", "merge", "mail").output
                == "merged 4 streams of mail; 3 messages are delivered from among the deferred ones\n")
        #expect(try await outbox("stream", "merge", "mail").output == "mail has one stream already\n")
        #expect(try await outbox("relay", "--route", "mail=stdout", "--until-empty").lines.count == 3)
        try await outbox("stream", "split", "fax", "--into", "2", status: 1)
        try await outbox("stream", "split", "mail", status: 64)
    }

    @Test func discardsWhatWaits() async throws {
        let outbox = try await self.delivered()
        try await outbox("enqueue", "mail", "four")
        let asked = try await outbox("stream", "discard", "mail", status: 64)
        #expect(
            asked.error.contains("would discard 1 message in the log and 0 deferred for mail")
                && asked.error.contains("--yes"))
        let dry = try await outbox("stream", "discard", "mail", "--dry-run", "--json").json()
        #expect(dry["messages"].int == 1 && dry["deferred"].int == 0 && dry["dry_run"].bool == true)
        try await outbox("stream", "discard", "mail", "--dry-run", "--yes", status: 64)
        #expect(
            try await outbox("stream", "discard", "mail", "--yes").output
                == "discarded 1 message in the log and 0 deferred for mail\n")
        #expect(try await outbox("relay", "--route", "mail=stdout", "--until-empty").output == "")
        // Of nothing nothing is asked, and nothing done.
        #expect(try await outbox("stream", "discard", "mail").output.contains("would discard 0 messages"))
        let none = try await outbox("stream", "discard", "fax", "--yes", status: 1)
        #expect(none.error.contains("fax"))
        // What doctor and status say of it is right.
        try await outbox("enqueue", "fax", "one")
        #expect(try await outbox("status", "--json").json()["unregistered"][0]["state"].string == "never served")
        try await outbox("stream", "discard", "fax", "--yes")
        #expect(try await outbox("status", "--json").json()["unregistered"].array.isEmpty)
    }

    @Test func rewinds() async throws {
        let outbox = try await self.delivered()
        // Without a terminal it says how many come again, and wants to be told.
        let asked = try await outbox("stream", "rewind", "mail", "--to-id", "2", status: 64)
        #expect(asked.error.contains("from message 2 on: 2 messages") && asked.error.contains("add --yes"))
        let dry = try await outbox("stream", "rewind", "mail", "--to-id", "2", "--dry-run", "--json").json()
        #expect(dry["first_id"].int == 2 && dry["messages"].int == 2)
        #expect(
            try await outbox("stream", "rewind", "mail", "--to-id", "9", "--dry-run").output.contains(
                "would stay where it is"))
        #expect(
            try await outbox("relay", "--route", "mail=stdout", "--until-empty").lines.isEmpty, "nothing has changed")
        #expect(
            try await outbox("stream", "rewind", "mail", "--to-id", "2", "--yes", "--json").json()["first_id"].int == 2)
        #expect(try await outbox("relay", "--route", "mail=stdout", "--until-empty").lines.count == 2)
        #expect(
            try await outbox("stream", "rewind", "mail", "--to-time", "2000-01-01T00:00:00Z", "--yes").output.contains(
                "message 1"))
        #expect(try await outbox("relay", "--route", "mail=stdout", "--until-empty").lines.count == 3)
        #expect(try await outbox("stream", "rewind", "mail", "--to-id", "9").output.contains("stays where it is"))
        try await outbox("stream", "rewind", "mail", status: 64)
        try await outbox("stream", "rewind", "mail", "--to-id", "1", "--to-time", "2000-01-01T00:00:00Z", status: 64)
    }

    @Test func removesWhatIsPassed() async throws {
        let outbox = try await self.delivered()
        let kept = try await outbox("janitor", "--json").json()
        #expect(kept["advanced_to"].isNull && kept["segments"][0]["outcome"].string == "current")
        let turned = try await outbox("janitor", "--retention", "0", "--segment-age", "0", "--json").json()
        #expect(turned["advanced_to"].int == 1)
        let table = try await outbox("janitor", "--retention", "0")
        #expect(table.lines[0].contains("SEGMENT") && table.lines[1].hasSuffix("emptied"))
        #expect(try await outbox.count("message") == 0)
        try await outbox("janitor", "--segment-size", "0", status: 64)
    }
}
