import Outbox
import OutboxRuntime
import OutboxSQL
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// Subscriptions that begin now, whatever commits around the moment.
@Suite(.schema, .timeLimit(.minutes(10))) struct FirstPositionTests {
    private static func settings(_ subscription: String, _ position: FirstPosition? = .now) -> RelaySettings {
        var settings = RelayBench.quick
        settings.subscription = subscription
        settings.firstPosition = position
        return settings
    }

    private static func store(
        _ bench: RelayBench, streams: Int, _ change: (inout Statements) -> Void = { _ in }
    ) -> PostgresStore {
        var statements = bench.schema.statements
        change(&statements)
        return PostgresStore(
            postgres: bench.postgres, schema: bench.schema, wakeup: .notify(fallback: nil), segments: nil,
            streamsPerDestination: streams, statements: statements, policy: nil)
    }

    /// What a subscription gets that begins while transactions are open which have drawn ids, and others which have only a number.
    private static func delivered(streams: Int, _ change: (inout Statements) -> Void = { _ in }) async throws
        -> [String]
    {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let routes: RelayRoutes = ["d": .handler { deliveries.add($0) }]
        let store = Self.store(bench, streams: streams, change)
        let insert = "SELECT $outbox.enqueue('d', '%', key => 'k' || i) FROM generate_series(1, 20) AS i"
        func statement(_ text: String) -> String {
            bench.render(insert.split(separator: "%", omittingEmptySubsequences: false).joined(separator: text))
        }
        let (drawn, numbered, from) = (
            try await LibPQConnection.connect(bench.postgres), try await LibPQConnection.connect(bench.postgres),
            try await LibPQConnection.connect(bench.postgres)
        )
        try await bench.sql(insert.split(separator: "%").joined(separator: "before"))
        try await drawn.execute(script: "BEGIN; " + statement("drawn"))
        try await numbered.execute(script: "BEGIN; SELECT pg_current_xact_id(); " + statement("some"))
        try await bench.sql(insert.split(separator: "%").joined(separator: "before"))
        // From the snapshot's xmax on: nothing has ended since it got its number.
        try await from.execute(script: "BEGIN; " + statement("from xmax on"))
        try await bench.run(bench.relay(routes, settings: Self.settings("new"), store: store)) {
            try await eventually("the streams are there") {
                try await bench.count("SELECT count(*) FROM $outbox.stream WHERE subscription = 'new'") == streams
            }
        }
        try await numbered.execute(script: statement("numbered") + "; COMMIT")
        try await bench.sql(insert.split(separator: "%").joined(separator: "after"))
        try await drawn.execute(script: "COMMIT")
        try await from.execute(script: "COMMIT")
        // From the cursor as it was stored.
        try await bench.run(bench.relay(routes, settings: Self.settings("new"), store: store)) {
            try await eventually("what came last is delivered") { deliveries.texts.count { $0 == "after" } == 20 }
            try await eventually("it sleeps") { try await bench.isAsleep() }
        }
        return deliveries.texts
    }

    private static let expected: [String: Int] = [
        "drawn": 20, "some": 20, "numbered": 20, "from xmax on": 20, "after": 20,
    ]

    private static func counted(_ texts: [String]) -> [String: Int] {
        Dictionary(grouping: texts, by: \.self).mapValues(\.count)
    }

    @Test(arguments: [1, 5]) func whatCommitsLaterIsDeliveredAndNothingElse(streams: Int) async throws {
        #expect(Self.counted(try await Self.delivered(streams: streams)) == Self.expected)
    }

    /// The statement broken on purpose.
    @Test(arguments: [
        // All that has a number counts as seen.
        (
            "1024 / $3 - 1, pg_current_snapshot()",
            "1024 / $3 - 1, format('%1$s:%1$s:', pg_current_xact_id())::pg_snapshot"
        ),
        // No id counts as passed.
        ("THEN reached.id", "THEN 0"),
        // Nothing counts as seen.
        ("1024 / $3 - 1, pg_current_snapshot()", "1024 / $3 - 1, '3:3:'::pg_snapshot"),
    ])
    func eachPartOfThePositionIsNeeded(part: String, broken: String) async throws {
        let texts = try await Self.delivered(streams: 1) { statements in
            let whole = statements.register.text
            statements.register.text = whole.split(separator: part, omittingEmptySubsequences: false).joined(
                separator: broken)
            #expect(statements.register.text != whole)
        }
        #expect(Self.counted(texts) != Self.expected)
    }

    /// Subscriptions begin while transactions begin and end all the time.
    @Test func theCutIsSharpUnderLoad() async throws {
        let bench = try await RelayBench.make()
        struct Written: Sendable {
            let id: Int64
            let began: Int
            let ended: Int
        }
        /// Counts, and so orders, what several tasks do.
        final class Clock: Sendable {
            private let last = Atomic(0)
            let written = Mutex<[Written]>([])
            func tick() -> Int { self.last.add(1, ordering: .sequentiallyConsistent).newValue }
        }
        let clock = Clock()
        let isOver = Latch()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let connection = try await LibPQConnection.connect(bench.postgres)
                    while !isOver.isOpen {
                        let began = clock.tick()
                        let ids = try await connection.withTransaction { transaction in
                            var ids: [Int64] = []
                            for _ in 0..<3 {
                                let statement = LibPQStatement(bench.render("SELECT $outbox.enqueue('d', '')"), [])
                                ids.append(try await transaction.query(statement)[0].decode(0))
                            }
                            return ids
                        }
                        let ended = clock.tick()
                        clock.written.withLock { $0 += ids.map { Written(id: $0, began: began, ended: ended) } }
                    }
                }
            }
            defer { isOver.open() }
            for round in 1...12 {
                let deliveries = Deliveries()
                let name = "s\(round)"
                let before = clock.tick()
                let relay = bench.relay(
                    ["d": .handler { deliveries.add($0) }], settings: Self.settings(name),
                    store: Self.store(bench, streams: round % 3 + 1))
                try await bench.run(relay) {
                    try await eventually("it has begun") {
                        try await bench.count(
                            "SELECT count(*) FROM $outbox.stream WHERE subscription = $1", [.text(name)])
                            == round % 3 + 1
                    }
                    let after = clock.tick()
                    try await eventually("much is written since") {
                        clock.written.withLock { all in all.count { $0.began > after } } > 60
                    }
                    let all = clock.written.withLock { $0 }
                    let due = Set(all.filter { $0.began > after }.map(\.id))
                    try await eventually("all that began later is delivered") {
                        due.isSubset(of: deliveries.all.map(\.id))
                    }
                    let old = Set(all.filter { $0.ended < before }.map(\.id))
                    #expect(old.isDisjoint(with: deliveries.all.map(\.id)), "what had committed before")
                    // At one moment: more comes meanwhile.
                    let delivered = deliveries.all.map(\.id)
                    #expect(Set(delivered).count == delivered.count, "each once")
                }
            }
            isOver.open()
            try await group.waitForAll()
        }
    }

    /// Of relays that begin at the same time the first one decides, for all streams of a destination.
    @Test func theFirstOfSeveralRelaysDecides() async throws {
        let bench = try await RelayBench.make()
        for round in 1...8 {
            let names = (1...4).map { Destination("r\(round).\($0)") }
            for name in names { try await bench.sql("SELECT $outbox.enqueue('\(name)', 'old')") }
            let deliveries = Deliveries()
            var routes: RelayRoutes = [:]
            for name in names { routes[name] = .handler { deliveries.add($0) } }
            let relays = [(1, FirstPosition.now), (4, .startOfLog), (4, .now)].map { streams, position in
                bench.relay(
                    routes, settings: Self.settings("main", position), store: Self.store(bench, streams: streams))
            }
            try await bench.run(relays[0]) {
                try await bench.run(relays[1]) {
                    try await bench.run(relays[2]) {
                        try await eventually("all are there") {
                            try await bench.count("SELECT count(DISTINCT destination) FROM $outbox.stream") == 4 * round
                        }
                        for name in names { try await bench.sql("SELECT $outbox.enqueue('\(name)', 'new')") }
                        try await eventually("what is new is delivered") { deliveries.texts.count { $0 == "new" } == 4 }
                    }
                }
            }
        }
        let shapes = try await bench.sql(
            """
            SELECT count(*), count(DISTINCT snapshot::text), sum(slot_high - slot_low + 1)
            FROM $outbox.stream GROUP BY destination
            """)
        #expect(shapes.rowCount == 32)
        for row in shapes {
            let slots = try row.decode(2, as: Int64.self)
            #expect(slots == 1024)
        }
    }

    /// A destination that comes while no relay is there is one of a subscription that has begun.
    @Test func allDestinationsBeginNowOnceForASubscription() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        var routes: RelayRoutes = [:]
        routes.others = .handler { deliveries.add($0) }
        for name in ["a", "b"] { try await bench.sql("SELECT $outbox.enqueue('\(name)', 'old')") }
        try await bench.run(bench.relay(routes, settings: Self.settings("new"))) {
            try await eventually("it has begun") { try await bench.count("SELECT count(*) FROM $outbox.stream") == 2 }
            try await bench.sql("SELECT $outbox.enqueue('c', 'c')")
            try await eventually("c is delivered") { deliveries.count == 1 }
        }
        for name in ["a", "e"] { try await bench.sql("SELECT $outbox.enqueue('\(name)', '\(name)')") }
        try await bench.run(bench.relay(routes, settings: Self.settings("new"))) {
            try await eventually("both are delivered") { deliveries.count == 3 }
        }
        #expect(deliveries.texts.sorted() == ["a", "c", "e"])
        // A destination that the relay has a route for begins now whenever that is.
        routes["f"] = .handler { deliveries.add($0) }
        try await bench.sql("SELECT $outbox.enqueue('f', 'old')")
        try await bench.run(bench.relay(routes, settings: Self.settings("new"))) {
            try await eventually("it has begun") { try await bench.count("SELECT count(*) FROM $outbox.stream") == 5 }
            try await bench.sql("SELECT $outbox.enqueue('f', 'f')")
            try await eventually("f is delivered") { deliveries.count == 4 }
        }
        #expect(deliveries.texts.last == "f")
    }
}
