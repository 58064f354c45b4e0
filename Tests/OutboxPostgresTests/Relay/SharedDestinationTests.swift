import Logging
import TestSupport
import Testing

@testable import Outbox
@testable import OutboxPostgres

/// Destinations of which an administrator has made several streams, each with some of the slots.
@Suite(.schema, .timeLimit(.minutes(5))) struct SharedDestinationTests {
    /// Makes streams of a destination, at the beginning of the log.
    private func split(_ bench: RelayBench, _ destination: String, _ slots: [ClosedRange<Int>]) async throws {
        for range in slots {
            try await bench.sql(
                """
                INSERT INTO $outbox.stream (destination, slot_low, slot_high, snapshot, position, horizon)
                VALUES (
                    '\(destination)', \(range.lowerBound), \(range.upperBound), pg_current_snapshot(), 0, pg_current_xact_id())
                """)
        }
    }

    /// A key whose messages have a slot in a range.
    private func key(_ bench: RelayBench, in slots: ClosedRange<Int>) async throws -> String {
        try await bench.sql(
            """
            SELECT 'k' || i FROM generate_series(1, 1000000) AS i
            WHERE $outbox.slot('k' || i, 0) BETWEEN \(slots.lowerBound) AND \(slots.upperBound) LIMIT 1
            """)[0].decode(0, as: String.self)
    }

    private func isSettled(_ bench: RelayBench) async throws -> Bool {
        let pending = try await bench.count("SELECT coalesce(sum(messages), 0)::bigint FROM $outbox.lag")
        let deferred = try await bench.deferredCount()
        return pending + deferred == 0
    }

    private func open(_ bench: RelayBench, _ destinations: [Destination]) async throws -> (
        session: PostgresSession, streams: [AttachedStream]
    ) {
        let session = try #require(
            try await bench.store.openSession(subscription: "main", logger: Logger(label: "outbox.test"))
                as? PostgresSession)
        await session.bringForward(every: .zero)
        return (session, try await session.attach(destinations))
    }

    // MARK: - A relay

    /// Messages are delivered at once, after later attempts, or never; in the beginning from a backlog, later as they come.
    @Test func eachMessageIsDeliveredOnceAndKeysStayInOrder() async throws {
        let bench = try await RelayBench.make()
        try await self.split(bench, "d", [0...300, 301...1023])
        let deliveries = Deliveries()
        let relay = bench.relay([
            "d": .handler(breaker: .off) { message in
                if message.id % 11 == 0 { throw DeliveryFailure.reject("never") }
                if message.id % 7 == 0, message.attempt <= 2 {
                    throw DeliveryFailure.retry(after: .milliseconds(5), "later")
                }
                deliveries.add(message)
            },
            "other": .handler { deliveries.add($0) },
        ])
        func enqueue(_ count: Int) async throws {
            try await bench.sql(
                """
                INSERT INTO $outbox.message (destination, payload, key)
                SELECT CASE WHEN i % 10 = 9 THEN 'other' ELSE 'd' END, '', CASE WHEN i % 3 > 0 THEN 'k' || i % 40 END
                FROM generate_series(1, \(count)) AS i
                """)
        }
        try await enqueue(1500)
        try await bench.run(relay) {
            for count in [1, 2, 50, 1, 400, 3, 1, 1, 1200, 1] {
                try await eventually("all is settled") {
                    try await self.isSettled(bench)
                }
                try await enqueue(count)
            }
            try await eventually("all is settled at the end") {
                try await self.isSettled(bench)
            }
        }
        let dead = try await bench.sql("SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM $outbox.dead_letter")
        let all = try await bench.sql(
            """
            SELECT array_agg(id ORDER BY id) FILTER (WHERE destination = 'd' AND id % 11 = 0),
                array_agg(id ORDER BY id) FILTER (WHERE destination <> 'd' OR id % 11 <> 0)
            FROM $outbox.message
            """)[0]
        #expect(try dead[0].decode(0, as: [Int64].self) == all.decode(0, as: [Int64].self))
        #expect(try deliveries.all.map(\.id).sorted() == all.decode(1, as: [Int64].self))
        #expect(deliveries.isOrderedByKey)
    }

    /// What one stream has deferred keeps the other waiting for nothing, and belongs to it alone after a takeover too.
    @Test func deferredMessagesBelongToTheStreamOfTheirSlot() async throws {
        let bench = try await RelayBench.make()
        try await self.split(bench, "d", [0...511, 512...1023])
        let (low, high) = (try await self.key(bench, in: 0...511), try await self.key(bench, in: 512...1023))
        try await bench.sql(
            """
            INSERT INTO $outbox.deferred (id, created_at, destination, key, payload, ordered, next_attempt_at)
            VALUES
                (1, now(), 'd', '\(low)', '', true, now()), (2, now(), 'd', '\(low)', '', true, 'infinity'),
                (3, now(), 'd', '\(high)', '', true, now() + interval '1 hour'), (4, now(), 'd', '\(high)', '', true, 'infinity'),
                (5, now(), 'd', NULL, '', false, now()), (600, now(), 'd', NULL, '', false, now())
            """)
        let (session, streams) = try await self.open(bench, ["d"])
        #expect(streams.count == 2)
        // The hash of a key is the process's own: the one that has the key waits for two of its messages.
        #expect(streams.map { $0.deferredKeys.values.reduce(0, +) } == [2, 2])
        #expect(Set(streams.flatMap(\.deferredKeys.keys)).count == 2)
        var read: [StreamID: [Int64]] = [:]
        var due: [StreamID: Duration?] = [:]
        try await eventually("both were looked at") {
            let missing = streams.filter { read[$0.id] == nil }
            let result = try await session.read(
                missing.map { ReadRequest(stream: $0.id, messages: 0, bytes: 1 << 20, deferred: true) }, until: .now)
            for page in result.pages { read[page.stream] = (0..<page.count).map { page.id(at: $0) } }
            due.merge(result.nextDue) { $1 }
            return read.count == 2
        }
        let lows = try await bench.sql("SELECT id::bigint FROM $outbox.stream WHERE slot_low = 0")
        let first = StreamID(Int32(try lows[0].decode(0, as: Int64.self)))
        let second = try #require(streams.first { $0.id != first }).id
        #expect(read == [first: [1, 2, 5], second: [600]])
        // After those: of the first there is nothing, of the second what is due in an hour.
        func next(_ stream: StreamID, _ excluding: [Int64]) async throws -> Duration? {
            var next: Duration??
            try await eventually("it was looked at") {
                let request = ReadRequest(
                    stream: stream, messages: 0, bytes: 1 << 20, deferred: true, excluding: excluding)
                next = try await session.read([request], until: .now).nextDue[stream]
                return next != nil
            }
            return next ?? nil
        }
        #expect(try await next(first, [1, 5]) == nil)
        #expect(try #require(await next(second, [600])) > .seconds(3000))
        // The next of a key is due when the first one is settled.
        var settlement = Settlement(stream: first)
        settlement.deferredDelivered = [1]
        settlement.keys = [low]
        #expect(try await session.commit([settlement]).isEmpty)
        #expect(try await bench.count("SELECT id FROM $outbox.deferred WHERE next_attempt_at <= now() AND id < 5") == 2)
        await session.close()
    }

    /// A relay that asks for what many streams have due asks by slots too.
    @Test func whatIsDueOfManyStreamsIsAskedForBySlots() async throws {
        let bench = try await RelayBench.make()
        let ranges = (0..<16).map { (64 * $0)...(64 * $0 + 63) }
        try await self.split(bench, "d", ranges)
        // The slot of a message without a key is the lowest bits of its id.
        try await bench.sql(
            """
            INSERT INTO $outbox.deferred (id, created_at, destination, payload, next_attempt_at)
            VALUES (70, now(), 'd', '', now()), (1000, now(), 'd', '', now() + interval '1 hour')
            """)
        let (session, streams) = try await self.open(bench, ["d"])
        #expect(streams.count == 16)
        var pages: [any MessagePage] = []
        var due: [StreamID: Duration?] = [:]
        try await eventually("all were looked at") {
            let requests = streams.filter { stream in due[stream.id] == nil }.map {
                ReadRequest(stream: $0.id, messages: 0, bytes: 1 << 20, deferred: true)
            }
            let result = try await session.read(requests, until: .now)
            pages += result.pages
            due.merge(result.nextDue) { $1 }
            return due.count == 16
        }
        #expect(pages.map { $0.id(at: 0) } == [70])
        let slots = try await bench.sql("SELECT id, slot_low FROM $outbox.stream ORDER BY slot_low")
        let ids = try slots.map { row in StreamID(try row.decode(0, as: Int32.self)) }
        #expect(pages.map(\.stream) == [ids[1]])
        #expect(due.compactMap { $0.value == nil ? nil : $0.key } == [ids[15]])
        await session.close()
    }

    /// A stream that is given more slots, without its cursor being moved, has read nothing of them: a session that went on would store a
    /// cursor that passes over their messages.
    @Test func slotsThatAreChangedUnderARelayAtWorkLoseNothing() async throws {
        let bench = try await RelayBench.make()
        try await self.split(bench, "d", [0...511])
        let (low, high) = (try await self.key(bench, in: 0...511), try await self.key(bench, in: 512...1023))
        let deliveries = Deliveries()
        let relay = bench.relay(["d": .handler { deliveries.add($0) }])
        func enqueue(_ keys: String...) async throws {
            for key in keys { try await bench.sql("SELECT $outbox.enqueue('d', 'x'::text, key => '\(key)')") }
        }
        try await bench.run(relay) {
            try await enqueue(low, low)
            try await eventually("the slots of the stream are settled") { try await self.isSettled(bench) }
            try await bench.sql("UPDATE $outbox.stream SET slot_high = 1023")
            try await enqueue(high, low, high, low)
            try await eventually("all is settled") { try await self.isSettled(bench) }
        }
        let all = try await bench.sql("SELECT array_agg(id ORDER BY id) FROM $outbox.message")
        #expect(try Set(deliveries.all.map(\.id)) == Set(all[0].decode(0, as: [Int64].self)))
    }

    // MARK: - A session

    /// As `TogetherTests.everyScheduleReadsEverythingOnce`, with destinations that several streams share, and one of which some slots
    /// have no stream: each stream reads the messages of its slots, and no others.
    @Test(arguments: UInt64(1)...8) func everyStreamReadsTheMessagesOfItsSlotsOnce(seed: UInt64) async throws {
        let seed = StressSettings.seconds(otherwise: 0) > 0 ? StressSettings.seed &+ seed : seed
        var random = SeededGenerator(seed: seed)
        let bench = try await RelayBench.make()
        let destinations: [Destination] = ["whole", "halves", "parts", "partial"]
        try await self.split(bench, "halves", [0...511, 512...1023])
        try await self.split(bench, "parts", [0...99, 100...100, 101...1000, 1001...1023])
        try await self.split(bench, "partial", [0...255, 512...700])
        var producers: [(connection: LibPQConnection, isOpen: Bool)] = []
        for _ in 0..<5 { producers.append((try await LibPQConnection.connect(bench.postgres), false)) }
        var (session, streams) = try await self.open(bench, destinations)
        #expect(streams.count == 9)
        var committed: [StreamID: Set<Int64>] = [:]
        var pages: [StreamID: [PostgresPage]] = [:]
        func ids(_ pages: some Sequence<PostgresPage>) -> [Int64] {
            pages.flatMap { page in (0..<page.count).map { page.id(at: $0) } }
        }
        func take(_ result: ReadResult) {
            for page in result.pages.compactMap({ $0 as? PostgresPage }) {
                let new = ids([page])
                #expect(zip(new, new.dropFirst()).allSatisfy(<), "seed \(seed)")
                #expect(Set(ids(pages[page.stream] ?? [])).isDisjoint(with: new), "read twice, seed \(seed)")
                #expect(committed[page.stream, default: []].isDisjoint(with: new), "read again, seed \(seed)")
                pages[page.stream, default: []].append(page)
            }
        }
        func request(_ stream: AttachedStream, _ messages: Int = 1000) -> ReadRequest {
            ReadRequest(stream: stream.id, messages: messages, bytes: 8 << 20, deferred: false)
        }
        for _ in 0..<150 {
            let number = producers.indices.randomElement(using: &random)!
            switch Int.random(in: 0..<12, using: &random) {
            case 0...4:
                if !producers[number].isOpen, Bool.random(using: &random) {
                    try await producers[number].connection.execute(script: "BEGIN")
                    producers[number].isOpen = true
                }
                let destination = destinations.randomElement(using: &random)!
                let isLong = Int.random(in: 0..<20, using: &random) == 0
                let count = isLong ? 1 : Bool.random(using: &random) ? Int.random(in: 1...3, using: &random) : 40
                let first = Int.random(in: 0..<1000, using: &random)
                try await producers[number].connection.execute(
                    script: bench.render(
                        """
                        INSERT INTO $outbox.message (destination, key, payload)
                        SELECT '\(destination.name)', 'k' || i, repeat('x', \(isLong ? 100_000 : 10))::bytea
                        FROM generate_series(\(first), \(first + count - 1)) AS i
                        """))
            case 5, 6:
                if !producers[number].isOpen { continue }
                let isKept = Int.random(in: 0..<4, using: &random) > 0
                try await producers[number].connection.execute(script: isKept ? "COMMIT" : "ROLLBACK")
                producers[number].isOpen = false
            case 7:
                let stream = streams.randomElement(using: &random)!.id.value
                try await bench.sql(
                    "UPDATE $outbox.stream SET paused_at = CASE WHEN paused_at IS NULL THEN now() END WHERE id = \(stream)"
                )
            case 8:
                let stream = streams.randomElement(using: &random)!.id
                guard let settled = pages[stream], !settled.isEmpty else { continue }
                let count = Int.random(in: 1...settled.count, using: &random)
                var settlement = Settlement(stream: stream)
                settlement.through = settled[count - 1]
                #expect(try await session.commit([settlement]).isEmpty, "seed \(seed)")
                committed[stream, default: []].formUnion(ids(settled[..<count]))
                pages[stream] = Array(settled[count...])
            case 9 where Int.random(in: 0..<4, using: &random) == 0:
                await session.close()
                (session, streams) = try await self.open(bench, destinations)
                pages = [:]
            default:
                let limit = Int.random(in: 0..<2, using: &random) == 0 ? 5 : 50
                let asked = streams.filter { _ in Int.random(in: 0..<4, using: &random) > 0 }
                take(try await session.read(asked.map { request($0, limit) }, until: .now))
            }
        }
        for producer in producers where producer.isOpen { try await producer.connection.execute(script: "COMMIT") }
        try await bench.sql("UPDATE $outbox.stream SET paused_at = NULL")
        for stream in streams {
            let rows = try await bench.sql(
                """
                SELECT coalesce(array_agg(message.id), '{}') FROM $outbox.message
                JOIN $outbox.stream USING (destination)
                WHERE stream.id = \(stream.id.value) AND $outbox.slot(key, message.id) BETWEEN slot_low AND slot_high
                """)
            let all = Set(try rows[0].decode(0, as: [Int64].self))
            func seen() -> Set<Int64> { Set(ids(pages[stream.id] ?? [])).union(committed[stream.id] ?? []) }
            try await eventually("all of \(stream.destination) are read, seed \(seed)") {
                take(try await session.read(streams.map { request($0) }, until: .now))
                return seen().isSuperset(of: all)
            }
            #expect(seen() == all, "seed \(seed)")
        }
        for (stream, read) in pages {
            var settlement = Settlement(stream: stream)
            settlement.through = read.last
            #expect(try await session.commit([settlement]).isEmpty, "seed \(seed)")
        }
        await session.close()
    }

    /// Streams that share a destination are read together as long as the session has all of it.
    @Test func streamsThatShareADestinationAreReadTogether() async throws {
        let bench = try await RelayBench.make()
        try await self.split(bench, "d", [0...511, 512...1023])
        let (session, streams) = try await self.open(bench, ["d", "other"])
        func read() async throws -> [any MessagePage] {
            try await session.read(
                streams.map { ReadRequest(stream: $0.id, messages: 100, bytes: 1 << 20, deferred: false) }, until: .now
            ).pages
        }
        _ = try await read()
        try await bench.sql(
            "INSERT INTO $outbox.message (destination, payload) SELECT 'd', '' FROM generate_series(1, 10)")
        _ = try await read()
        var knowledge = await session.knowledge
        let plan = PollPlan(
            streams.map { ReadRequest(stream: $0.id, messages: 100, bytes: 1 << 20, deferred: false) },
            of: await session.streams, &knowledge)
        #expect(plan.isOfNewAlone)
        #expect(plan.together.count == 3)
        await session.close()
    }

    /// A cursor is mended by the messages of its stream, not by those of another one of the destination.
    @Test func aCursorOfAnotherServerIsMendedByTheMessagesOfItsSlots() async throws {
        let bench = try await RelayBench.make()
        try await self.split(bench, "d", [0...511, 512...1023])
        let key = try await self.key(bench, in: 512...1023)
        try await bench.sql("INSERT INTO $outbox.message (destination, key, payload) VALUES ('d', '\(key)', '')")
        try await bench.sql(
            "UPDATE $outbox.stream SET snapshot = '5000000000:5000000000:', position = 1, horizon = '5000000001'")
        let (session, _) = try await self.open(bench, ["d"])
        await session.close()
        let rows = try await bench.sql(
            "SELECT slot_low FROM $outbox.stream WHERE pg_snapshot_xmax(snapshot) < '5000000000'::xid8")
        #expect(try rows.map { row in try row.decode(0, as: Int.self) } == [512])
    }
}

/// The streams of a session.
@Suite(.timeLimit(.minutes(1))) struct StreamTableTests {
    private func stream(_ id: Int32, _ destination: Destination, _ slots: ClosedRange<Int16>) -> StreamState {
        StreamState(
            id: StreamID(id), destination: destination, slots: slots, cursor: Cursor(snapshot: [], position: 0),
            place: [],
            generation: 0, isPaused: false, start: StreamStart())
    }

    private func table(_ streams: StreamState...) -> StreamTable {
        var table = StreamTable()
        for stream in streams { table.add(stream) }
        return table
    }

    private func request(_ id: Int32) -> ReadRequest {
        ReadRequest(stream: StreamID(id), messages: 1, bytes: 1, deferred: false)
    }

    @Test func aDestinationHasItsStreamsInTheOrderOfTheirSlots() {
        let table = self.table(
            self.stream(1, "a", 512...1023), self.stream(2, "b", 0...1023), self.stream(3, "a", 0...100),
            self.stream(4, "a", 101...511))
        #expect(table["a"] == [StreamID(3), StreamID(4), StreamID(1)])
        #expect(table["b"] == [StreamID(2)])
        #expect(table["c"].isEmpty)
        #expect(table.count == 4)
    }

    @Test(
        arguments: [
            ([0...1023], true), ([0...511, 512...1023], true), ([512...1023, 0...511], true), ([0...511], false),
            ([0...510, 512...1023], false), ([1...1023], false), ([0...600, 500...1023], true),
            ([0...1023, 5...10], true),
            ([0...10, 11...1022], false),
        ] as [([ClosedRange<Int16>], Bool)])
    func streamsAreReadTogetherWhereTheSessionHasAllSlots(slots: [ClosedRange<Int16>], isComplete: Bool) throws {
        var table = StreamTable()
        for (index, range) in slots.enumerated() { table.add(self.stream(Int32(index), "a", range)) }
        table.add(self.stream(100, "b", 0...1023))
        let stream = try #require(table[StreamID(0)])
        #expect(table.canBeReadTogether(stream) == isComplete)
        #expect(table.canBeReadTogether(try #require(table[StreamID(100)])))
    }

    /// A destination is not left out because another of its streams is not asked for.
    @Test func aDestinationIsWantedWhereOneOfItsStreamsIs() {
        var table = StreamTable()
        for id in 0..<Int32(40) { table.add(self.stream(id, Destination("d\(id)"), 0...1023)) }
        table.add(self.stream(40, "a", 0...511))
        table.add(self.stream(41, "a", 512...1023))
        table.add(self.stream(42, "b", 0...511))
        table.add(self.stream(43, "b", 512...1023))
        let requests = (0..<Int32(41)).map(self.request)
        #expect(table.names(of: requests) == (["b"], false))
        let few = table.names(of: [self.request(3), self.request(40)])
        #expect(few == (["d3", "a"], true))
    }

    @Test func aStreamThatIsTakenOutLeavesItsDestinationIncomplete() throws {
        var table = self.table(
            self.stream(1, "a", 0...511), self.stream(2, "a", 512...1023), self.stream(3, "b", 0...1023))
        table.remove(StreamID(2))
        table.remove(StreamID(2))
        #expect(table["a"] == [StreamID(1)] && table.count == 2)
        #expect(!table.canBeReadTogether(try #require(table[StreamID(1)])))
        table.remove(StreamID(1))
        #expect(table["a"].isEmpty)
        table.add(self.stream(2, "a", 0...1023))
        #expect(table["a"] == [StreamID(2)])
    }
}
