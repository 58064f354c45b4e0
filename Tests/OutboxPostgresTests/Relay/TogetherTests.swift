import Logging
import Outbox
import TestSupport
import Testing

@testable import OutboxPostgres

/// Streams that are read together, by transaction numbers alone, and those that were not read for a while.
@Suite(.schema, .timeLimit(.minutes(5))) struct TogetherTests {
    /// A session of a relay.
    private struct Session {
        let session: PostgresSession
        let streams: [Destination: StreamID]

        init(_ bench: RelayBench, _ destinations: [Destination], forwardInterval: Duration = .zero) async throws {
            let opened = try await bench.store.openSession(subscription: "main", logger: Logger(label: "outbox.test"))
            let session = try #require(opened as? PostgresSession)
            await session.bringForward(every: forwardInterval)
            self.session = session
            let attached = try await session.attach(destinations)
            self.streams = Dictionary(uniqueKeysWithValues: attached.map { ($0.destination, $0.id) })
        }

        func read(_ requests: [ReadRequest]) async throws -> [PostgresPage] {
            try await self.session.read(requests, until: .now).pages.compactMap { $0 as? PostgresPage }
        }

        func look(_ requests: [ReadRequest]) async throws -> ReadResult {
            try await self.session.read(requests, until: .now + .milliseconds(20))
        }

        func request(_ destination: Destination, _ messages: Int = 1000) throws -> ReadRequest {
            ReadRequest(
                stream: try #require(self.streams[destination]), messages: messages, bytes: 8 << 20, deferred: false)
        }

        func commit(_ pages: [PostgresPage]) async throws {
            let settlements = pages.map { page in
                var settlement = Settlement(stream: page.stream)
                settlement.through = page
                return settlement
            }
            let refused = try await self.session.commit(settlements)
            #expect(refused.isEmpty)
        }

        func close() async { await self.session.close() }
    }

    /// A producer, which may have a transaction open.
    private struct Producer {
        let connection: LibPQConnection
        var isOpen = false
    }

    /// Everything that can come between polls, at random: transactions that commit long after their ids were passed, and some that
    /// roll back; few and many messages; streams that are paused, or not asked for; pages of any length; commits, and sessions that
    /// end before them. Each message comes once for each time that it was not committed, those of a page and of a producer in order.
    @Test(arguments: UInt64(1)...8) func everyScheduleReadsEverythingOnce(seed: UInt64) async throws {
        let seed = StressSettings.seconds(otherwise: 0) > 0 ? StressSettings.seed &+ seed : seed
        var random = SeededGenerator(seed: seed)
        let bench = try await RelayBench.make()
        let destinations = (0..<6).map { Destination("d\($0)") }
        var producers: [Producer] = []
        for _ in 0..<5 { producers.append(Producer(connection: try await LibPQConnection.connect(bench.postgres))) }
        var session = try await Session(bench, destinations)
        // Of each destination: what was committed, and what was read since.
        var committed: [Destination: Set<Int64>] = [:]
        var pages: [Destination: [PostgresPage]] = [:]
        func take(_ read: [PostgresPage]) {
            for page in read {
                let ids = (0..<page.count).map { page.id(at: $0) }
                #expect(zip(ids, ids.dropFirst()).allSatisfy(<), "seed \(seed)")
                let known = (pages[page.destination] ?? []).flatMap { page in (0..<page.count).map { page.id(at: $0) } }
                #expect(Set(known).isDisjoint(with: ids), "read twice, seed \(seed)")
                #expect(committed[page.destination, default: []].isDisjoint(with: ids), "read again, seed \(seed)")
                pages[page.destination, default: []].append(page)
            }
        }
        for _ in 0..<150 {
            let number = producers.indices.randomElement(using: &random)!
            switch Int.random(in: 0..<12, using: &random) {
            case 0...4:
                let producer = producers[number]
                if !producer.isOpen, Bool.random(using: &random) {
                    try await producer.connection.execute(script: "BEGIN")
                    producers[number].isOpen = true
                }
                let destination = destinations.randomElement(using: &random)!
                let count = Bool.random(using: &random) ? Int.random(in: 1...3, using: &random) : 40
                let length = Int.random(in: 0..<20, using: &random) == 0 ? 100_000 : 10
                try await producer.connection.execute(
                    script: bench.render(
                        """
                        SELECT $outbox.enqueue('\(destination.name)', repeat('x', \(length))::bytea)
                        FROM generate_series(1, \(length > 10 ? 1 : count))
                        """))
            case 5, 6:
                if !producers[number].isOpen { continue }
                let isKept = Int.random(in: 0..<4, using: &random) > 0
                try await producers[number].connection.execute(script: isKept ? "COMMIT" : "ROLLBACK")
                producers[number].isOpen = false
            case 7:
                let destination = destinations.randomElement(using: &random)!
                try await bench.sql(
                    """
                    UPDATE $outbox.stream SET paused_at = CASE WHEN paused_at IS NULL THEN now() END
                    WHERE destination = '\(destination.name)'
                    """)
            case 8:
                let destination = destinations.randomElement(using: &random)!
                guard let settled = pages[destination], !settled.isEmpty else { continue }
                let count = Int.random(in: 1...settled.count, using: &random)
                try await session.commit([settled[count - 1]])
                for page in settled[..<count] {
                    committed[destination, default: []].formUnion((0..<page.count).map { page.id(at: $0) })
                }
                pages[destination] = Array(settled[count...])
            case 9 where Int.random(in: 0..<4, using: &random) == 0:
                await session.close()
                session = try await Session(bench, destinations)
                pages = [:]
            default:
                let asked = destinations.filter { _ in Int.random(in: 0..<4, using: &random) > 0 }
                take(
                    try await session.read(
                        asked.map { try session.request($0, Int.random(in: 0..<2, using: &random) == 0 ? 5 : 50) }))
            }
        }
        for producer in producers where producer.isOpen { try await producer.connection.execute(script: "COMMIT") }
        try await bench.sql("UPDATE $outbox.stream SET paused_at = NULL")
        for destination in destinations {
            let rows = try await bench.sql(
                "SELECT coalesce(array_agg(id), '{}') FROM $outbox.message WHERE destination = '\(destination.name)'")
            let all = Set(try rows[0].decode(0, as: [Int64].self))
            func seen() -> Set<Int64> {
                Set((pages[destination] ?? []).flatMap { page in (0..<page.count).map { page.id(at: $0) } })
                    .union(committed[destination] ?? [])
            }
            try await eventually("all of \(destination) are read, seed \(seed)") {
                take(try await session.read(destinations.map { try session.request($0) }))
                return seen().isSuperset(of: all)
            }
            #expect(seen() == all, "seed \(seed)")
        }
        await session.close()
    }

    /// What costs a poll is what is new, not how many streams there are. Exact counts of what is read of the index.
    @Test func manyStreamsLookOnceAtWhatIsNew() async throws {
        let bench = try await RelayBench.make()
        let destinations = (0..<100).map { Destination("d\($0)") }
        let session = try await Session(bench, destinations, forwardInterval: .seconds(3600))
        func readAll(_ count: Int) async throws {
            var read = 0
            try await eventually("all are read") {
                let pages = try await session.read(destinations.map { try session.request($0) })
                read += pages.reduce(0) { $0 + $1.count }
                return read >= count
            }
            #expect(read == count)
        }
        _ = try await session.read(destinations.map { try session.request($0) })
        try await bench.sql("SELECT $outbox.enqueue('d1', '')")
        let quiet = try await self.cost(bench, session) { try await readAll(1) }
        #expect(quiet.isBetween(1, 1), "one message, one look at it")
        try await bench.sql("SELECT $outbox.enqueue('d1', '') FROM generate_series(1, 20000)")
        let bulk = try await self.cost(bench, session) { try await readAll(20_000) }
        // Once to see that there are many, once for all streams to find out whose they are, and once or twice for their own.
        #expect(bulk.isBetween(20_000, 80_000), "was a hundred times as many")
        // Of a destination that is not the session's, which is told the server from then on.
        for _ in 1...2 {
            try await bench.sql("SELECT $outbox.enqueue('unknown', '') FROM generate_series(1, 20000)")
            try await bench.sql("SELECT $outbox.enqueue('d1', '')")
            let unknown = try await self.cost(bench, session) { try await readAll(1) }
            #expect(unknown.isBetween(20_000, 80_000))
        }
        await session.close()
    }

    /// More streams than are read in one poll, all of which are read one by one, because a payload was long: the relay sleeps all the same,
    /// and hears that it is to end.
    @Test func manyStreamsWithLongPayloads() async throws {
        let bench = try await RelayBench.make()
        let destinations = (0..<600).map { "d\($0)" }
        let deliveries = Deliveries()
        var routes: RelayRoutes = [:]
        for name in destinations { routes[Destination(name)] = .handler { deliveries.add($0) } }
        try await bench.run(bench.relay(routes)) {
            try await eventually("it sleeps") { try await bench.isAsleep() }
            try await bench.sql(
                """
                SELECT $outbox.enqueue('d' || i, convert_to(repeat('x', 32768), 'UTF8')) FROM generate_series(0, 599) AS i
                """)
            try await eventually("all are delivered and committed") {
                let isCommitted = try await bench.pendingCount() == 0
                return isCommitted && deliveries.count == 600
            }
            try await eventually("it sleeps") { try await bench.isAsleep() }
            try await bench.sql("SELECT $outbox.enqueue('d599', 'x')")
            try await eventually("it hears the ring") { deliveries.count == 601 }
        }
        #expect(deliveries.count == 601)
        #expect(try await bench.pendingCount() == 0)
    }

    /// "Nothing" is said only when all that was asked for was looked at: care after a crash ends with it.
    @Test func nothingIsSaidWhenEverythingWasLookedAt() async throws {
        let bench = try await RelayBench.make()
        let destinations = (0..<600).map { Destination("d\($0)") }
        try await bench.sql("SELECT $outbox.enqueue('d599', 'poison')")
        let session = try await Session(bench, destinations)
        let asked = try destinations.map { try session.request($0, 1) }
        while true {
            let result = try await session.look(asked)
            if !result.pages.isEmpty {
                #expect(result.pages.map(\.destination.name) == ["d599"])
                break
            }
            try #require(!result.lookedAtEverything, "there is one")
        }
        try await eventually("there is nothing more") { try await session.look(asked).lookedAtEverything }
        // And of what is deferred.
        try await bench.sql(
            """
            INSERT INTO $outbox.deferred (id, created_at, destination, payload, next_attempt_at)
            VALUES (1000000, now(), 'd300', 'poison', now())
            """)
        let deferred = asked.map { request in
            var request = request
            request.deferred = true
            return request
        }
        while true {
            let result = try await session.look(deferred)
            if !result.pages.isEmpty { break }
            try #require(!result.lookedAtEverything, "one is due")
        }
        await session.close()
    }

    /// Spellings that Unicode holds equal are two destinations to Postgres.
    @Test(arguments: [1, 30]) func destinationsAreComparedByBytes(others: Int) async throws {
        let bench = try await RelayBench.make()
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        #expect(Destination(composed) != Destination(decomposed))
        let (one, other) = (Deliveries(), Deliveries())
        var routes: RelayRoutes = [:]
        for number in 0..<others { routes[Destination("d\(number)")] = .handler { _ in } }
        routes[Destination(composed)] = .handler { one.add($0) }
        try await bench.run(bench.relay(routes)) {
            for number in 1...3 {
                try await eventually("it sleeps") { try await bench.isAsleep() }
                try await bench.sql("SELECT $outbox.enqueue($1, 'other')", [.text(decomposed)])
                try await bench.sql("SELECT $outbox.enqueue($1, 'one')", [.text(composed)])
                try await eventually("it is delivered") { one.texts.filter { $0 == "one" }.count == number }
            }
        }
        #expect(one.texts == ["one", "one", "one"])
        routes[Destination(decomposed)] = .handler { other.add($0) }
        try await bench.run(bench.relay(routes)) {
            try await eventually("the other's are delivered") { other.count == 3 }
        }
        #expect(other.texts == ["other", "other", "other"])
        #expect(one.count == 3)
    }

    /// A stream that was paused, or whose window was full, while others went on: what came for them is not looked at once more for
    /// each such stream when they are read again.
    @Test func streamsThatWereNotReadAreBroughtForward() async throws {
        let bench = try await RelayBench.make()
        let destinations = (0..<50).map { Destination("d\($0)") }
        let session = try await Session(bench, destinations)
        let requests = try destinations.map { try session.request($0) }
        _ = try await session.read(requests)
        // A message of one of them that is late when it is read again.
        let late = try await LibPQConnection.connect(bench.postgres)
        try await late.execute(script: bench.render("BEGIN; SELECT $outbox.enqueue('d7', 'late')"))
        try await bench.sql("SELECT $outbox.enqueue('d7', 'first')")
        var texts: [String] = []
        try await eventually("the first is read") {
            for page in try await session.read(requests) {
                texts += (0..<page.count).map { row in
                    unsafe page.withPayload(at: row) { bytes in unsafe String(decoding: bytes, as: UTF8.self) }
                }
            }
            return texts == ["first"]
        }
        for round in 0..<10 {
            if round == 5 { try await late.execute(script: "COMMIT") }
            try await bench.sql("SELECT $outbox.enqueue('d0', '') FROM generate_series(1, 1000)")
            var read = 0
            try await eventually("d0 is read") {
                read += try await session.read([requests[0]]).reduce(0) { $0 + $1.count }
                return read >= 1000
            }
        }
        let cost = try await self.cost(bench, session) {
            var read: [PostgresPage] = []
            try await eventually("the late one is read") {
                read += try await session.read(requests)
                return !read.isEmpty
            }
            #expect(read.map(\.destination.name) == ["d7"])
            #expect(read.map(\.count) == [1])
        }
        // Without, each of 49 streams would look at 10,000 messages.
        #expect(cost.isBetween(1, 5000))
        await session.close()
    }

    private struct Cost {
        let tuplesRead: Int
        /// Before PostgreSQL 15 what a session has counted comes when it comes, with what it did before: then only what is far too much
        /// says anything.
        let isExact: Bool

        func isBetween(_ least: Int, _ most: Int) -> Bool {
            self.isExact ? (least...most).contains(self.tuplesRead) : self.tuplesRead <= most + 200_000
        }
    }

    /// How many entries of the indexes on xid were read for what a closure does with a session.
    private func cost(_ bench: RelayBench, _ session: Session, _ body: () async throws -> Void) async throws -> Cost {
        // The session's own: no other reads these indexes meanwhile.
        let connection = session.session.connection
        let isExact = try await !connection.query(
            LibPQStatement("SELECT FROM pg_proc WHERE proname = 'pg_stat_force_next_flush'")
        ).isEmpty
        func tuplesRead() async throws -> Int {
            if isExact { _ = try await connection.query(LibPQStatement("SELECT pg_stat_force_next_flush()")) }
            return try await Int(
                connection.query(
                    LibPQStatement(
                        """
                        SELECT coalesce(sum(idx_tup_read), 0)::bigint
                        FROM pg_stat_user_indexes JOIN pg_class ON pg_class.oid = indexrelid
                        WHERE pg_class.relname LIKE 'message\\_%\\_xid\\_idx'
                            AND relnamespace = \(bench.schema.identifier)::text::regnamespace
                        """))[0].decode(0, as: Int64.self))
        }
        let before = try await tuplesRead()
        try await body()
        return Cost(tuplesRead: try await tuplesRead() - before, isExact: isExact)
    }
}
