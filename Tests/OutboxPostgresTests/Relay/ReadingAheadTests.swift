import Logging
import Outbox
import TestSupport
import Testing

@testable import OutboxPostgres

/// What happens between the question for the page after the next and its answer.
@Suite(.schema, .timeLimit(.minutes(10))) struct ReadingAheadTests {
    /// A session that has read the first of four pages, so that the second is asked for.
    private struct Ahead: Sendable {
        let bench: RelayBench
        let session: PostgresSession
        let stream: StreamID
        let first: any MessagePage

        init() async throws {
            self.bench = try await RelayBench.make()
            try await self.bench.sql(
                """
                INSERT INTO $outbox.message (destination, payload, key)
                SELECT 'd', convert_to(i::text, 'UTF8'), 'k' FROM generate_series(1, 40) AS i
                """)
            let session = try await self.bench.store.openSession(
                subscription: "main", logger: Logger(label: "outbox.test"))
            self.session = try #require(session as? PostgresSession)
            self.stream = try #require(try await self.session.attach(["d"]).first).id
            let result = try await self.session.read([Self.request(self.stream)], until: nil)
            #expect(await self.session.hasAskedAhead)
            self.first = try #require(result.pages.first)
        }

        private static func request(_ stream: StreamID) -> ReadRequest {
            ReadRequest(stream: stream, messages: 10, bytes: 1_000_000, deferred: false, hasRoomForMore: true)
        }

        /// The ids of the next page; none if there is no page within a moment.
        func next() async throws -> [Int64] {
            for _ in 1...5 {
                let result = try await self.session.read(
                    [Self.request(self.stream)], until: .now + .milliseconds(20))
                if let page = result.pages.first { return (0..<page.count).map { page.id(at: $0) } }
            }
            return []
        }

        /// What a relay reads that wants nothing: it is ending, or its destination is down.
        func readNothing() async throws -> Int { try await self.session.read([], until: .now).pages.count }

        func commit() async throws {
            var settlement = Settlement(stream: self.first.stream)
            settlement.through = self.first
            try await self.session.commit([settlement])
        }

        func close() async { await self.session.close() }

        func position() async throws -> Int { try await self.bench.count("SELECT position FROM $outbox.stream") }
    }

    private struct Missing: Error {}

    @Test func everyPageComesOnceAndACommitMovesOnlyOverItsOwn() async throws {
        let ahead = try await Ahead()
        try await ahead.commit()
        #expect(try await ahead.position() == 10, "what was read ahead is not settled")
        for page in 1...3 { #expect(try await ahead.next() == Array(Int64(page) * 10 + 1...Int64(page) * 10 + 10)) }
        #expect(try await ahead.next() == [])
        await ahead.close()
    }

    /// The relay stops, or its destination is down: nothing comes that was not asked for, and nothing is lost.
    @Test func whatIsNotWantedAnyMoreIsKept() async throws {
        let ahead = try await Ahead()
        for _ in 1...3 { #expect(try await ahead.readNothing() == 0) }
        try await ahead.commit()
        #expect(try await ahead.readNothing() == 0)
        #expect(try await ahead.next() == Array(11...20))
        #expect(try await ahead.next() == Array(21...30))
        await ahead.close()
    }

    /// It ends, and another session goes on from what was committed.
    @Test func aSessionThatEndsTakesNothingAlong() async throws {
        let ahead = try await Ahead()
        try await ahead.commit()
        await ahead.close()
        let deliveries = Deliveries()
        try await ahead.bench.run(ahead.bench.relay(["d": .handler { deliveries.add($0) }])) {
            try await eventually("the rest is delivered") { deliveries.count == 30 }
        }
        #expect(deliveries.texts == (11...40).map(String.init))
    }

    @Test func aPauseHoldsItBack() async throws {
        let ahead = try await Ahead()
        let streams = OutboxStreams(schema: ahead.bench.schema)
        try await streams.pause("d", on: ahead.bench.admin)
        // The statement after it has brought the notification.
        try await ahead.commit()
        // At most the page that the server had been asked for before.
        let before = try await ahead.next()
        #expect(before == Array(11...20) || before == [])
        for _ in 1...3 { #expect(try await ahead.next() == []) }
        try await streams.resume("d", on: ahead.bench.admin)
        var rest: [Int64] = []
        while rest.last != 40 { rest += try await ahead.next() }
        #expect(before + rest == Array(11...40))
        await ahead.close()
    }

    /// Back before what has come, into it, and to where the page ahead begins.
    @Test(arguments: [1, 6, 11]) func aRewindVoidsIt(id: Int64) async throws {
        let ahead = try await Ahead()
        try await ahead.commit()
        try await OutboxStreams(schema: ahead.bench.schema).rewind("d", to: .id(id), on: ahead.bench.admin)
        // Moves nothing, which is how the session finds out.
        try await ahead.commit()
        var ids: [Int64] = []
        while ids.last != 40 { ids += try await ahead.next() }
        #expect(ids.suffix(41 - Int(id)) == Array(id...40)[...], "from there on everything, in order")
        #expect(ids.count == 41 - Int(id), "the page that was read ahead is dropped")
        await ahead.close()
    }

    /// Its late messages are late to the poll that was on its way, or to the one after it.
    @Test func whatCommitsMeanwhileIsNotLost() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        var settings = RelayBench.quick
        settings.page.messages = 50
        let writers = try await [LibPQConnection.connect(bench.postgres), LibPQConnection.connect(bench.postgres)]
        for writer in writers {
            try await writer.execute(script: bench.render("BEGIN; SELECT $outbox.enqueue('d', 'late')"))
        }
        try await bench.sql(
            """
            INSERT INTO $outbox.message (destination, payload, key)
            SELECT 'd', convert_to(i::text, 'UTF8'), 'k' || i % 7 FROM generate_series(1, 5000) AS i
            """)
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }], settings: settings)) {
            for (index, writer) in writers.enumerated() {
                try await eventually("it is in the middle") { deliveries.count >= 1000 * (index + 1) }
                try await writer.execute(script: "COMMIT")
            }
            try await eventually("all are delivered") { deliveries.count >= 5002 }
        }
        #expect(deliveries.count == 5002)
        #expect(Set(deliveries.all.map(\.id)).count == 5002)
        #expect(deliveries.isOrderedByKey)
        #expect(try await bench.pendingCount() == 0)
    }
}
