import Logging
import Outbox
import OutboxSQL
import TestSupport
import Testing

@testable import OutboxPostgres

/// What others do while a session sleeps, with the poll ready that it answers a ring with.
@Suite(.schema, .timeLimit(.minutes(5))) struct SleepingTests {
    /// A session of a relay that asks for everything of two streams.
    private struct Sleeper {
        let bench: RelayBench
        let session: PostgresSession
        let requests: [ReadRequest]

        init() async throws {
            bench = try await RelayBench.make()
            let opened = try await bench.store.openSession(subscription: "main", logger: Logger(label: "outbox.test"))
            let session = try #require(opened as? PostgresSession)
            self.session = session
            requests = try await session.attach(["d", "e"]).map { stream in
                ReadRequest(stream: stream.id, messages: 100, bytes: 1 << 20, deferred: false)
            }
            try await session.prepareReading()
        }

        /// What the session returns for what `body` does while it sleeps.
        func read(_ body: () async throws -> Void) async throws -> ReadResult {
            async let result = session.read(requests, until: .now + .seconds(60))
            try await eventually("it sleeps") { await session.connection.waitsWithSomethingStaged }
            try await body()
            return try await result
        }

        /// What there is within a moment.
        func look() async throws -> ReadResult {
            try await session.read(requests, until: .now + .milliseconds(100))
        }
    }

    private func ids(_ result: ReadResult) -> [Int64] {
        result.pages.flatMap { page in (0..<page.count).map { page.id(at: $0) } }
    }

    private static let pause = "UPDATE $outbox.stream SET paused_at = now() WHERE destination = 'd'"
    private static let resume = "UPDATE $outbox.stream SET paused_at = NULL WHERE destination = 'd'"

    @Test func aRingIsAnsweredByWhatWasReady() async throws {
        let sleeper = try await Sleeper()
        for id in Int64(1)...3 {
            let result = try await sleeper.read { try await sleeper.bench.sql("SELECT $outbox.enqueue('d', '')") }
            #expect(ids(result) == [id])
        }
        await sleeper.session.close()
    }

    /// They become visible together, so nothing that comes with the pause is read.
    @Test func aStreamThatIsPausedWithItsMessagesIsNotRead() async throws {
        let sleeper = try await Sleeper()
        let result = try await sleeper.read {
            try await sleeper.bench.script("BEGIN; SELECT $outbox.enqueue('d', ''); \(Self.pause); COMMIT")
        }
        #expect(ids(result) == [])
        #expect(try await ids(sleeper.look()) == [])
        try await sleeper.bench.sql(Self.resume)
        try await eventually("it is read") { try await ids(sleeper.look()) == [1] }
        await sleeper.session.close()
    }

    /// A message that no producer has rung for, as where triggers are off, is not read because of the pause.
    @Test func aPauseIsNoReasonToRead() async throws {
        let sleeper = try await Sleeper()
        let result = try await sleeper.read {
            try await sleeper.bench.script(
                """
                SET session_replication_role = replica;
                INSERT INTO $outbox.message (destination, payload) VALUES ('d', '');
                RESET session_replication_role;
                \(Self.pause)
                """)
        }
        #expect(ids(result) == [])
        #expect(try await ids(sleeper.look()) == [])
        try await sleeper.bench.sql(Self.resume)
        try await eventually("it is read") { try await ids(sleeper.look()) == [1] }
        await sleeper.session.close()
    }

    /// What is read after the cursor was moved is of the new place.
    @Test func aStreamThatIsRewoundIsReadFromThere() async throws {
        let sleeper = try await Sleeper()
        let first = try await sleeper.read { try await sleeper.bench.sql("SELECT $outbox.enqueue('d', '')") }
        var settlement = Settlement(stream: try #require(first.pages.first).stream)
        settlement.through = first.pages[0]
        #expect(try await sleeper.session.commit([settlement]).isEmpty)
        var read: [Int64] = []
        read += ids(
            try await sleeper.read {
                try await OutboxStreams(schema: sleeper.bench.schema).rewind("d", to: .id(1), on: sleeper.bench.admin)
            })
        try await eventually("it comes again") {
            read += try await ids(sleeper.look())
            return read == [1]
        }
        await sleeper.session.close()
    }

    /// Also those that tell of nothing: it sleeps on, or looks and finds nothing.
    @Test func notificationsOfOthersDoNoHarm() async throws {
        let sleeper = try await Sleeper()
        let channel = await sleeper.session.channel
        let payloads = [
            "probe 1", "deferred", "nothing", String(repeating: "x", count: 7999), "stream", "{}", "pröbe", "",
        ]
        let result = try await sleeper.read {
            for _ in 0..<200 {
                try await sleeper.bench.sql(
                    "SELECT pg_notify($1, $2), pg_notify('other', $2)",
                    [.text(channel), .text(payloads.randomElement() ?? "")])
            }
            try await sleeper.bench.sql("SELECT $outbox.enqueue('d', '')")
        }
        var read = ids(result)
        try await eventually("it is read") {
            if read.isEmpty { read += try await ids(sleeper.look()) }
            return read == [1]
        }
        await sleeper.session.close()
    }

    /// What a poll is to do beside reading is left to the next one, not forgotten.
    @Test func aPollThatIsNotSentTakesNothingOver() async throws {
        let sleeper = try await Sleeper()
        _ = try await sleeper.look()
        await sleeper.session.makeOthersBehind()
        #expect(await sleeper.session.pollOfRing([sleeper.requests[0]]).map { _ in true } == nil)
        #expect(await sleeper.session.knowledge.isDue)
        await sleeper.session.close()
    }
}

extension PostgresSession {
    /// Only what is prepared can be ready: whether there are transactions or not, it is the poll that follows.
    fileprivate func prepareReading() async throws {
        let snapshot = try await self.connection.query("SELECT pg_snapshot_send(pg_current_snapshot())")[0].bytes(0)
        let binds: [LibPQValue] = [
            .snapshot(try #require(snapshot)), .textArray([]), .bool(true), .int8(1), .int4(1), self.lockKey,
        ]
        _ = try await self.connection.pipeline(
            [self.statements.readNew, self.statements.readNewRunning].map { self.bound($0, binds) })
    }

    /// Has it look for streams that were not read for a while.
    fileprivate func makeOthersBehind() {
        self.knowledge.isDue = true
        self.knowledge.longAgo = .max
    }
}
