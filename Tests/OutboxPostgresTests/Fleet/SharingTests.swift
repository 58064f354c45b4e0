import Outbox
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// Relays that share streams, over real sessions, without a fallback poll: a wake-up that is lost stays lost.
@Suite(.schema, .timeLimit(.minutes(10))) struct SharingTests {
    private static let names = (1...6).map { Destination("d\($0)") }

    private func routes(_ deliveries: Deliveries, _ names: [Destination] = SharingTests.names) -> RelayRoutes {
        var routes: RelayRoutes = [:]
        for name in names { routes[name] = .handler { deliveries.add($0) } }
        return routes
    }

    /// How many streams each session has that has any.
    private func shares(_ bench: RelayBench) async throws -> [Int] {
        try await bench.sql("SELECT count(*) FROM pg_locks WHERE \(RelayBench.ownsStream) GROUP BY pid").map { row in
            Int(try row.decode(0, as: Int64.self))
        }.sorted()
    }

    /// Enqueues without a pause until it is cancelled.
    private static func produce(
        _ destination: String, _ schema: OutboxSchema, _ postgres: LibPQConfiguration
    ) async throws {
        let connection = try await LibPQConnection.connect(postgres)
        let statement = LibPQStatement("SELECT \(schema.identifier).enqueue('\(destination)', 'x')", [])
        while !Task.isCancelled {
            do { _ = try await connection.query(statement) } catch { if !Task.isCancelled { throw error } }
        }
        await connection.close()
    }

    private func running(_ relays: ArraySlice<Relay>, _ bench: RelayBench, _ body: () async throws -> Void) async throws
    {
        guard let first = relays.first else { return try await body() }
        try await bench.run(first) { try await self.running(relays.dropFirst(), bench, body) }
    }

    @Test func aFleetSleepsAndWakesTogether() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let relays = (0..<3).map { _ in bench.relay(self.routes(deliveries)) }
        try await self.running(relays[...], bench) {
            try await eventually("each has its share") { try await self.shares(bench) == [2, 2, 2] }
            for round in 1...60 {
                // Sometimes while all sleep, sometimes while some are still awake.
                if round % 3 == 0 { try await eventually("the keeper sleeps") { try await bench.isAsleep() } }
                try await bench.sql("SELECT $outbox.enqueue('d\(round % 6 + 1)', '\(round)')")
                try await eventually("\(round) is delivered") { deliveries.count == round }
            }
        }
        #expect(Set(deliveries.texts).count == 60 && deliveries.count == 60)
    }

    /// One statement in each interval for each relay, and nothing more: how many there are is counted, however long it takes.
    @Test func aFleetThatSleepsAsksOnceInAnInterval() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let interval = Duration.milliseconds(250)
        var settings = RelayBench.quick
        settings.standbyInterval = interval
        let relays = (0..<4).map { _ in bench.relay(self.routes(deliveries), settings: settings) }
        try await self.running(relays[...], bench) {
            try await eventually("each has its share") { try await self.shares(bench) == [1, 1, 2, 2] }
            try await bench.sql("SELECT $outbox.enqueue('d1', 'x')")
            try await eventually("it is delivered") { deliveries.count == 1 }
            try await eventually("the keeper sleeps") { try await bench.isAsleep() }
            func statements() async throws -> [String] {
                try await bench.sql(
                    """
                    SELECT pid || ' ' || query_start FROM pg_stat_activity
                    WHERE pid IN (SELECT pid FROM pg_locks WHERE \(RelayBench.ownsStream))
                    """
                ).map { try $0.decode(0) }
            }
            var seen = Set(try await statements())
            let (clock, known) = (ContinuousClock(), seen.count)
            let began = clock.now
            try await eventually("each has asked some times") {
                seen.formUnion(try await statements())
                return seen.count - known >= 40
            }
            let intervals = (clock.now - began) / interval
            #expect(
                Double(seen.count - known) <= 4 * (intervals + 4), "\(seen.count - known) in \(intervals) intervals")
        }
    }

    /// Producers ring as long as the bell is held. It is free when its keeper is gone, while the others sleep.
    @Test func aKeeperThatDiesAsleepIsFollowedByAnother() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let relays = (0..<3).map { _ in bench.relay(self.routes(deliveries)) }
        try await self.running(relays[...], bench) {
            var count = 0
            for _ in 1...8 {
                try await eventually("each has its share") { try await self.shares(bench) == [2, 2, 2] }
                try await eventually("the keeper sleeps") { try await bench.isAsleep() }
                try await bench.sql(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_locks
                    WHERE locktype = 'advisory' AND classid = '$outbox.message'::regclass::oid AND objid = 0
                        AND mode = 'ExclusiveLock' AND granted
                    """)
                for name in Self.names { try await bench.sql("SELECT $outbox.enqueue('\(name)', 'x')") }
                count += Self.names.count
                try await eventually("\(count) are delivered") { Set(deliveries.all.map(\.id)).count == count }
            }
        }
    }

    /// The bell is not taken while messages come for other relays. What comes for the keeper itself is read all the same.
    @Test func aKeeperReadsOnWhileMessagesComeForOthers() async throws {
        let bench = try await RelayBench.make()
        let (quiet, busy) = (Deliveries(), Deliveries())
        try await bench.run(bench.relay(self.routes(quiet, ["quiet"]))) {
            try await eventually("the keeper sleeps") { try await bench.isAsleep() }
            try await bench.run(bench.relay(self.routes(busy, ["busy"]))) {
                try await eventually("both work") { try await bench.ownerCount() == 2 }
                try await withThrowingTaskGroup(of: Void.self) { producers in
                    for _ in 1...4 {
                        let (schema, postgres) = (bench.schema, bench.postgres)
                        producers.addTask { try await Self.produce("busy", schema, postgres) }
                    }
                    for round in 1...20 {
                        let before = busy.count
                        try await eventually("others are busy") { busy.count > before + 50 }
                        try await bench.sql("SELECT $outbox.enqueue('quiet', '\(round)')")
                        try await eventually("\(round) is delivered") { quiet.count == round }
                    }
                    producers.cancelAll()
                }
            }
        }
    }

    @Test func relaysOfTwoSubscriptionsSleepBothAndWakeBoth() async throws {
        let bench = try await RelayBench.make()
        let (main, other) = (Deliveries(), Deliveries())
        var settings = RelayBench.quick
        settings.subscription = "other"
        let relays = [bench.relay(self.routes(main)), bench.relay(self.routes(other), settings: settings)]
        try await self.running(relays[...], bench) {
            try await eventually("both work") { try await bench.ownerCount() == 2 }
            for round in 1...30 {
                if round % 2 == 0 { try await eventually("the keeper sleeps") { try await bench.isAsleep() } }
                try await bench.sql("SELECT $outbox.enqueue('d1', '\(round)')")
                try await eventually("\(round) is delivered to both") { main.count == round && other.count == round }
            }
        }
    }

    /// Split and merged while messages come, some of which are tried again.
    @Test func whatIsSplitAndMergedAtWorkIsNotRepeatedAndStaysInOrder() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let failures = Mutex<Set<Int64>>([])
        var routes: RelayRoutes = [:]
        routes["d"] = .handler(retry: .constant(.milliseconds(5))) { message in
            let id = message.id
            if id % 97 == 0, failures.withLock({ $0.insert(id).inserted }) { throw Unready() }
            deliveries.add(message)
        }
        let relays = (0..<2).map { _ in bench.relay(routes) }
        let streams = OutboxStreams(schema: bench.schema)
        let connection = try await LibPQConnection.connect(bench.postgres)
        var count = 0
        func enqueue() async throws {
            try await bench.sql(
                """
                INSERT INTO $outbox.message (destination, payload, key)
                SELECT 'd', '', CASE WHEN i % 4 > 0 THEN 'k' || i % 53 END FROM generate_series(1, 500) AS i
                """)
            count += 500
        }
        try await self.running(relays[...], bench) {
            try await eventually("it works") { try await bench.ownerCount() >= 1 }
            for _ in 1...3 {
                try await enqueue()
                #expect(try await streams.split("d", into: 2, on: connection) == 1)
                try await enqueue()
                #expect(try await streams.split("d", into: 8, on: connection) == 2)
                try await eventually("they share") { try await self.shares(bench) == [4, 4] }
                try await enqueue()
                #expect(try await streams.merge("d", on: connection).streams == 8)
                try await enqueue()
            }
            let all = count
            try await eventually("all are delivered") { deliveries.count >= all }
        }
        #expect(deliveries.count == count && Set(deliveries.all.map(\.id)).count == count, "each once")
        #expect(deliveries.isOrderedByKey)
        #expect(try await bench.deferredCount() == 0)
        #expect(try await bench.pendingCount() == 0)
        #expect(try await bench.count("SELECT count(*) FROM $outbox.stream") == 1)
    }

    private struct Unready: Error {}

    /// Relays that begin at the same time do not make streams beside each other's.
    @Test func aDestinationGetsItsStreamsOnce() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        for round in 1...10 {
            let names = (1...4).map { Destination("r\(round).\($0)") }
            let relays = [1, 8, 3].map { count in
                bench.relay(
                    self.routes(deliveries, names),
                    store: PostgresStore(
                        postgres: bench.postgres, schema: bench.schema, wakeup: .notify(fallback: nil),
                        streamsPerDestination: count))
            }
            try await self.running(relays[...], bench) {
                try await eventually("all are there") {
                    try await bench.count("SELECT count(DISTINCT destination) FROM $outbox.stream") == 4 * round
                }
            }
        }
        let shapes = try await bench.sql(
            "SELECT count(*), sum(slot_high - slot_low + 1), range_agg(int4range(slot_low, slot_high + 1)) = '{[0,1024)}' FROM $outbox.stream GROUP BY destination"
        )
        #expect(shapes.rowCount == 40)
        for row in shapes {
            let count = try row.decode(0, as: Int64.self)
            let slots = try row.decode(1, as: Int64.self)
            let isWhole = try row.decode(2, as: Bool.self)
            #expect([1, 3, 8].contains(count) && slots == 1024 && isWhole)
        }
    }

    @Test func whatCannotBeDividedIsRefused() async throws {
        let bench = try await RelayBench.make()
        let streams = OutboxStreams(schema: bench.schema)
        let connection = try await LibPQConnection.connect(bench.postgres)
        func code(_ body: () async throws -> Void) async -> OutboxError.Code? {
            do { try await body() } catch { return (error as? OutboxError)?.code }
            return nil
        }
        #expect(await code { try await streams.split("d", into: 2, on: connection) } == .streamMissing)
        #expect(await code { try await streams.split("d", into: 0, on: connection) } == .streamParts)
        #expect(await code { try await streams.merge("d", on: connection) } == .streamMissing)
        try await bench.sql(
            """
            INSERT INTO $outbox.stream (destination, snapshot, position, horizon, paused_at)
            VALUES ('d', pg_current_snapshot(), 0, pg_current_xact_id(), now())
            """)
        #expect(try await streams.split("d", into: 3, on: connection) == 1)
        #expect(await code { try await streams.split("d", into: 4, on: connection) } == .streamParts)
        #expect(try await streams.split("d", into: 6, on: connection) == 3)
        #expect(try await bench.count("SELECT count(*) FROM $outbox.stream WHERE paused_at IS NOT NULL") == 6)
        try await bench.sql(
            "INSERT INTO $outbox.message (destination, payload) SELECT 'd', '' FROM generate_series(1, 20)")
        #expect(await code { try await streams.merge("d", mostUnread: 19, on: connection) } == .streamUnread)
        let merged = try await streams.merge("d", mostUnread: 20, on: connection)
        #expect(merged.streams == 6 && merged.messages == 20)
        #expect(
            try await bench.count(
                "SELECT count(*) FROM $outbox.stream WHERE paused_at IS NOT NULL AND slot_high = 1023") == 1)
        #expect(try await bench.count("SELECT count(*) FROM pg_locks WHERE \(RelayBench.ownsStream)") == 0)
        // A session that does not hand it over.
        try await bench.sql(
            "SELECT pg_advisory_lock('$outbox.message'::regclass::oid::int, min(id)) FROM $outbox.stream")
        #expect(
            await code { try await streams.split("d", into: 2, waitingFor: .milliseconds(1), on: connection) }
                == .streamBusy)
    }

    /// A stream that got slots which had none would count messages as read that were not.
    @Test(arguments: [(0, 99, 512, 1023), (0, 511, 500, 1023), (1, 511, 512, 1023), (0, 511, 512, 1000)])
    func streamsWithGapsAreNotDivided(low: Int, high: Int, secondLow: Int, secondHigh: Int) async throws {
        let bench = try await RelayBench.make()
        let connection = try await LibPQConnection.connect(bench.postgres)
        try await bench.sql(
            """
            INSERT INTO $outbox.stream (destination, slot_low, slot_high, snapshot, position, horizon)
            SELECT 'd', low, high, pg_current_snapshot(), 0, pg_current_xact_id()
            FROM (VALUES (\(low), \(high)), (\(secondLow), \(secondHigh))) AS range (low, high)
            """)
        let before = try await bench.sql("SELECT slot_low, slot_high FROM $outbox.stream ORDER BY id").map {
            try $0.decode(1, as: Int.self)
        }
        let streams = OutboxStreams(schema: bench.schema)
        let changes: [() async throws -> Void] = [
            { _ = try await streams.split("d", into: 4, on: connection) },
            { _ = try await streams.merge("d", on: connection) },
        ]
        for body in changes {
            let error = await #expect(throws: OutboxError.self) { try await body() }
            #expect(error?.code == .streamParts)
        }
        let after = try await bench.sql("SELECT slot_low, slot_high FROM $outbox.stream ORDER BY id").map {
            try $0.decode(1, as: Int.self)
        }
        #expect(before == after)
        #expect(try await bench.count("SELECT count(*) FROM pg_locks WHERE \(RelayBench.ownsStream)") == 0)
    }

    /// Late commits have ids that a merged cursor has passed.
    @Test func whatCommitsAfterAMergeIsDelivered() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let streams = OutboxStreams(schema: bench.schema)
        let connection = try await LibPQConnection.connect(bench.postgres)
        try await bench.sql(
            """
            INSERT INTO $outbox.stream (destination, slot_low, slot_high, snapshot, position, horizon)
            VALUES ('d', 0, 300, pg_current_snapshot(), 0, pg_current_xact_id()),
                ('d', 301, 1023, pg_current_snapshot(), 0, pg_current_xact_id())
            """)
        let late = try await LibPQConnection.connect(bench.postgres)
        try await late.execute(
            script: bench.render(
                "BEGIN; SELECT $outbox.enqueue('d', 'late', key => 'k' || i) FROM generate_series(1, 20) AS i"))
        try await bench.sql("SELECT $outbox.enqueue('d', 'early', key => 'k' || i) FROM generate_series(1, 20) AS i")
        #expect(try await streams.merge("d", on: connection).messages == 20)
        try await bench.sql("SELECT $outbox.enqueue('d', 'after', key => 'k' || i) FROM generate_series(1, 20) AS i")
        try await late.execute(script: "COMMIT")
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }])) {
            try await eventually("all are delivered") { deliveries.count == 60 }
        }
        #expect(Set(deliveries.all.map(\.id)).count == 60)
        for items in Dictionary(grouping: deliveries.all, by: \.key).values {
            let texts = items.map(\.text)
            #expect((texts.firstIndex(of: "early") ?? 9) < (texts.firstIndex(of: "after") ?? 0), "\(texts)")
        }
    }
}
