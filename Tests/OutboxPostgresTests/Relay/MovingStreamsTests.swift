import Logging
import OutboxSQL
import Synchronization
import TestSupport
import Testing

@testable import Outbox
@testable import OutboxPostgres

/// Streams that come and go under a relay at work: by SQL, and with new destinations.
@Suite(.schema, .timeLimit(.minutes(5))) struct MovingStreamsTests {
    /// Why sessions of a relay have ended, while it does something.
    private func endings(_ bench: RelayBench, _ relay: Relay, _ body: () async throws -> Void) async throws -> [String]
    {
        let events = relay.events(bufferingNewest: 100_000)
        let seen = Task {
            var reasons: [String] = []
            for await case .disconnected(let reason, _) in events { reasons.append(reason) }
            return reasons
        }
        try await bench.run(relay, body)
        return await seen.value
    }

    private func isSettled(_ bench: RelayBench) async throws -> Bool {
        let pending = try await bench.count("SELECT coalesce(sum(messages), 0)::bigint FROM $outbox.lag")
        let deferred = try await bench.deferredCount()
        return pending + deferred == 0
    }

    private func enqueue(_ bench: RelayBench, _ count: Int, keys: Int = 40) async throws {
        try await bench.sql(
            """
            INSERT INTO $outbox.message (destination, payload, key)
            SELECT 'd', '', 'k' || i % \(keys) FROM generate_series(1, \(count)) AS i
            """)
    }

    // MARK: - By SQL

    /// Splits and merges, with messages that are tried again and some that are refused.
    @Test(arguments: UInt64(1)...4) func splitsAndMergesLoseNothing(seed: UInt64) async throws {
        struct Trace {
            var settled: [String: Set<Int64>] = [:]
            var begun: [String: Int64] = [:]
            var running: Set<String> = []
            var delivered = 0
            var faults: [String] = []
        }
        var random = SeededGenerator(seed: seed)
        let bench = try await RelayBench.make()
        let trace = Mutex(Trace())
        let relay = bench.relay([
            "d": .handler(retry: .constant(.milliseconds(5), maximumAttempts: 1000), concurrency: 8, breaker: .off) {
                message in
                let (id, key) = (message.id, message.key ?? "")
                trace.withLock { trace in
                    if !trace.running.insert(key).inserted { trace.faults.append("two of \(key) at the same time") }
                    trace.begun[key] = max(id, trace.begun[key] ?? 0)
                }
                await Task.yield()
                trace.withLock { trace in
                    trace.running.remove(key)
                    trace.delivered += 1
                    if id % 11 != 0 || message.attempt > 2 { trace.settled[key, default: []].insert(id) }
                }
                if id % 11 == 0, message.attempt <= 2 { throw DeliveryFailure.retry(after: .milliseconds(5), "later") }
                if id % 23 == 0 { throw DeliveryFailure.reject("never") }
            }
        ])
        let fixture = PostgresFixture(bench: bench)
        var (splits, count) = (0, 0)
        let reasons = try await self.endings(bench, relay) {
            for _ in 0..<12 {
                let new = Int.random(in: 1...400, using: &random)
                try await self.enqueue(bench, new)
                count += new
                let enough = Int.random(in: 0...count, using: &random)
                try await eventually("some are delivered") { trace.withLock { $0.delivered } >= enough }
                if Int.random(in: 0..<3, using: &random) > 0 {
                    try await fixture.split("d")
                    splits += 1
                } else {
                    try await self.merge(bench)
                }
            }
            try await eventually("all is settled, seed \(seed)") { try await self.isSettled(bench) }
        }
        #expect(reasons == [], "seed \(seed)")
        let all = try await bench.sql("SELECT array_agg(id) FROM $outbox.message")[0].decode(0, as: [Int64].self)
        let seen = trace.withLock { $0 }
        #expect(Set(seen.settled.values.flatMap { $0 }) == Set(all), "seed \(seed)")
        #expect(seen.faults == [], "seed \(seed)")
        #expect(splits > 0)
        let streams = try await bench.sql("SELECT slot_low, slot_high FROM $outbox.stream ORDER BY slot_low")
        #expect(try streams[streams.count - 1].decode(1, as: Int.self) == 1023)
    }

    /// Makes one stream of two that are beside each other, which is read from the lower of their positions.
    private func merge(_ bench: RelayBench) async throws {
        try await bench.script(
            """
            BEGIN;
            SELECT FROM $outbox.stream ORDER BY id FOR UPDATE;
            WITH pair AS (
                SELECT lower.id AS lower, upper.id AS upper, upper.slot_high, upper.snapshot, upper.position, upper.horizon,
                    upper.catchup_snapshot, upper.catchup_position, lower.position AS lower_position
                FROM $outbox.stream AS lower JOIN $outbox.stream AS upper ON upper.slot_low = lower.slot_high + 1
                ORDER BY lower.slot_low LIMIT 1
            ),
            gone AS (DELETE FROM $outbox.stream USING pair WHERE stream.id = pair.upper)
            UPDATE $outbox.stream
            SET slot_high = pair.slot_high, position = 0, snapshot = pg_current_snapshot(), horizon = pg_current_xact_id(),
                catchup_snapshot = NULL, catchup_position = NULL
            FROM pair WHERE stream.id = pair.lower;
            COMMIT
            """)
    }

    /// In two transactions: what has no stream for a while is found without word of it.
    @Test func aStreamForSlotsThatHadNoneIsFound() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let relay = bench.relay(["d": .handler { deliveries.add($0) }])
        let reasons = try await self.endings(bench, relay) {
            try await self.enqueue(bench, 100)
            try await eventually("all is delivered") { deliveries.count == 100 }
            try await eventually("all is settled") { try await self.isSettled(bench) }
            try await bench.sql("UPDATE $outbox.stream SET slot_high = 511")
            try await self.enqueue(bench, 100)
            try await eventually("the half that has a stream is settled") { try await self.isSettled(bench) }
            #expect(deliveries.count < 200)
            try await bench.sql(
                """
                INSERT INTO $outbox.stream (destination, slot_low, snapshot, position, horizon)
                SELECT 'd', 512, pg_current_snapshot(), 100, pg_current_xact_id()
                """)
            try await eventually("all are delivered") { deliveries.count == 200 }
        }
        #expect(reasons == [])
        #expect(Set(deliveries.all.map(\.id)).count == 200)
    }

    /// The cursor of a stream that has other slots is not moved, though no relay was told of it yet. Without the slots in the statement it is.
    @Test(arguments: [true, false]) func aCursorIsNotMovedOverSlotsThatWereNotRead(asDesigned: Bool) async throws {
        let bench = try await RelayBench.make()
        var statements = bench.schema.statements
        if !asDesigned {
            let parts = statements.moveCursor.text.split(separator: "AND slot_low = $13 AND slot_high = $14")
            #expect(parts.count == 3)
            statements.moveCursor.text = parts.joined()
        }
        let store = PostgresStore(
            postgres: bench.postgres, schema: bench.schema, wakeup: .notify(fallback: nil), statements: statements,
            policy: nil)
        try await bench.sql(
            """
            INSERT INTO $outbox.stream (destination, slot_high, snapshot, position, horizon)
            VALUES ('d', 511, pg_current_snapshot(), 0, pg_current_xact_id())
            """)
        let session = try #require(
            try await store.openSession(subscription: "main", logger: Logger(label: "outbox.test"))
                as? PostgresSession)
        let stream = try #require(try await session.attach(["d"]).first)
        try await self.enqueue(bench, 100)
        var page: (any MessagePage)?
        let request = ReadRequest(stream: stream.id, messages: 1000, bytes: 1 << 20, deferred: false)
        try await eventually("it is read") {
            page = try await session.read([request], until: .now).pages.first ?? page
            return page != nil
        }
        try await bench.sql("UPDATE $outbox.stream SET slot_high = 1023")
        var settlement = Settlement(stream: stream.id)
        settlement.through = page
        #expect(try await session.commit([settlement]).isEmpty)
        #expect(try await (bench.count("SELECT position FROM $outbox.stream") == 0) == asDesigned)
        if !asDesigned { return await session.close() }
        #expect(try await session.read([], until: .now).detached == [stream.id])
        settlement.start = StreamStart(count: 7)
        #expect(try await session.commit([settlement]).isEmpty)
        #expect(
            try await bench.count("SELECT starts::bigint FROM $outbox.stream") == 0, "nothing of it is stored any more")
        #expect(try await session.read([], until: .now).attached.isEmpty, "its relay may still be calling handlers")
        try await session.release([stream.id])
        let again = try await session.read([], until: .now).attached
        #expect(again.map(\.id) == [stream.id])
        var count = 0
        try await eventually("all is read") {
            count += try await session.read([request], until: .now).pages.reduce(0) { $0 + $1.count }
            return count >= 100
        }
        #expect(count == 100)
        await session.close()
    }

    /// Pages that were read before a split, and that the relay has not asked for, are of no stream after it.
    @Test func whatWasReadAheadIsDroppedWithItsStream() async throws {
        let bench = try await RelayBench.make()
        try await self.enqueue(bench, 100, keys: 100)
        let session = try #require(
            try await bench.store.openSession(subscription: "main", logger: Logger(label: "outbox.test"))
                as? PostgresSession)
        let whole = try #require(try await session.attach(["d"]).first)
        let request = ReadRequest(stream: whole.id, messages: 10, bytes: 1 << 20, deferred: false, hasRoomForMore: true)
        #expect(try await session.read([request], until: .now).pages.map(\.count) == [10])
        #expect(await session.hasAskedAhead)
        try await PostgresFixture(bench: bench).split("d")
        var (detached, attached): ([StreamID], [AttachedStream]) = ([], [])
        try await eventually("both parts are there") {
            let result = try await session.read([], until: .now)
            if !result.detached.isEmpty { try await session.release(result.detached) }
            detached += result.detached
            attached += result.attached
            return attached.count == 2
        }
        #expect(detached == [whole.id] && attached.contains { $0.id == whole.id })
        let slots = try await bench.sql("SELECT id, slot_low, slot_high FROM $outbox.stream")
        var ranges: [StreamID: ClosedRange<Int>] = [:]
        for row in slots {
            ranges[StreamID(try row.decode(0))] = try row.decode(1, as: Int.self)...row.decode(2, as: Int.self)
        }
        var ids: [Int64] = []
        try await eventually("all is read") {
            let requests = attached.map { ReadRequest(stream: $0.id, messages: 100, bytes: 1 << 20, deferred: false) }
            for page in try await session.read(requests, until: .now).pages {
                for row in 0..<page.count {
                    #expect(ranges[page.stream]?.contains(page.slot(at: row)) == true)
                    ids.append(page.id(at: row))
                }
            }
            return ids.count >= 100
        }
        #expect(ids.sorted() == Array(1...100))
        await session.close()
    }

    /// As when it had never been there: at the beginning of the log.
    @Test func aStreamWhoseRowIsRemovedBeginsAgain() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let relay = bench.relay(["d": .handler { deliveries.add($0) }])
        let reasons = try await self.endings(bench, relay) {
            try await self.enqueue(bench, 10)
            try await eventually("all is delivered") { deliveries.count == 10 }
            try await eventually("all is settled") { try await self.isSettled(bench) }
            try await bench.sql("DELETE FROM $outbox.stream")
            try await self.enqueue(bench, 1)
            try await eventually("all is delivered again") { deliveries.count == 22 }
            try await eventually("all is settled again") { try await self.isSettled(bench) }
        }
        #expect(reasons == [])
        #expect(Set(deliveries.all.map(\.id)).count == 11, "the last one was in flight")
    }

    // MARK: - New destinations

    private func others(_ deliveries: Deliveries) -> RelayRoutes {
        var routes: RelayRoutes = [:]
        routes.others = .handler { deliveries.add($0) }
        return routes
    }

    /// From a relay that sleeps with nothing to deliver at all, to one that works on a backlog.
    @Test(arguments: [false, true]) func aNewDestinationIsPickedUp(isPolling: Bool) async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let store =
            isPolling
            ? PostgresStore(postgres: bench.postgres, schema: bench.schema, wakeup: .polling(every: .milliseconds(20)))
            : nil
        let relay = bench.relay(self.others(deliveries), store: store)
        let reasons = try await self.endings(bench, relay) {
            for number in 1...3 {
                if number > 1, !isPolling { try await eventually("it sleeps") { try await bench.isAsleep() } }
                try await bench.sql("SELECT $outbox.enqueue('d\(number)', '\(number)'::text)")
                try await eventually("\(number) is delivered") { deliveries.count == number }
            }
        }
        #expect(reasons == [])
        #expect(deliveries.texts == ["1", "2", "3"])
    }

    /// A relay that sleeps looks for nothing: its session runs no statement until a producer's commit wakes it.
    @Test func whatSleepsDoesNotLook() async throws {
        let bench = try await RelayBench.make()
        let session = try #require(
            try await bench.store.openSession(subscription: "main", logger: Logger(label: "outbox.test"))
                as? PostgresSession)
        try await bench.sql("SELECT $outbox.enqueue('d', 'x'::text)")
        let stream = try #require(try await session.attach([], andOthers: true, from: .startOfLog, lookingEvery: .seconds(1)).first)
        let request = ReadRequest(stream: stream.id, messages: 10, bytes: 1 << 20, deferred: false)
        try await eventually("it sleeps, and has looked") {
            _ = try await session.read([request], until: .now + .milliseconds(50))
            if await session.lookDue != nil { return false }
            return try await bench.isAsleep()
        }
        try await bench.sql("SELECT $outbox.enqueue('new', 'x'::text)")
        var attached: [AttachedStream] = []
        try await eventually("it has found the new one") {
            attached += try await session.read([request], until: .now + .seconds(5)).attached
            return !attached.isEmpty
        }
        #expect(attached.map(\.destination) == ["new"])
        await session.close()
    }
}

/// When a session looks for streams.
@Suite(.timeLimit(.minutes(1))) struct StreamWatchTests {
    private let start = ContinuousClock.now

    private func due(_ watch: StreamWatch, isWanted: Bool = false, isWoken: Bool = true, every: Duration? = nil)
        -> Duration?
    {
        watch.due(isWanted: isWanted, isWoken: isWoken, pollingInterval: every).map { $0 - self.start }
    }

    @Test func itLooksOnceASecondAfterPolls() {
        var watch = StreamWatch(["d"], andOthers: true)
        #expect(self.due(watch) == nil, "before it has begun")
        watch.looked(from: self.start, to: self.start)
        #expect(self.due(watch) == nil, "it would be woken")
        #expect(self.due(watch, isWoken: false) == .seconds(2))
        #expect(self.due(watch, isWoken: false, every: .seconds(60)) == .seconds(60))
        watch.polled()
        #expect(self.due(watch) == .seconds(1))
        watch.looked(from: self.start + .seconds(1), to: self.start + .seconds(1) + .milliseconds(50))
        watch.polled()
        #expect(self.due(watch) == .seconds(6) + .milliseconds(50), "what takes long is done seldom")
    }

    @Test func itLooksForOthersOnlyWhereTheyAreWanted() {
        var watch = StreamWatch(["d"])
        watch.looked(from: self.start, to: self.start)
        #expect(self.due(watch, isWanted: true) == .seconds(2), "nothing tells of a stream that is inserted")
        watch.polled()
        #expect(self.due(watch) == nil)
        #expect(self.due(watch, isWanted: true) == .seconds(1))
    }

    @Test func whatIsFoundOrLostIsTold() {
        var watch = StreamWatch(["a"], andOthers: true)
        watch.found(["a"])
        #expect(!watch.mustAttach && watch.takeNews() == nil)
        watch.found(["b", "a", "b"])
        #expect(watch.mustAttach && watch.destinations == ["a", "b"])
        watch.mustAttach = false
        watch.lost(StreamID(1))
        watch.lost(StreamID(2))
        watch.resumed()
        let news = watch.takeNews()
        #expect(news?.detached == [StreamID(1), StreamID(2)] && news?.deferredChanged == true)
        #expect(watch.mustAttach && watch.takeNews() == nil)
    }
}
