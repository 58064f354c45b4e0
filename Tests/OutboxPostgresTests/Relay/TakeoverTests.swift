import Outbox
import OutboxTestServers
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

@Suite(.schema, .timeLimit(.minutes(10))) struct TakeoverTests {
    @Test func aSecondRelayWaitsAndTakesOver() async throws {
        let bench = try await RelayBench.make()
        let first = Deliveries()
        let second = Deliveries()
        let standby = bench.relay(["d": .handler { second.add($0) }])
        let events = standby.events
        try await bench.run(bench.relay(["d": .handler { first.add($0) }])) {
            try await eventually("the first owns the outbox") { try await bench.ownerCount() == 1 }
            try await bench.run(standby) {
                var iterator = events.makeAsyncIterator()
                #expect(await iterator.next() == .standby)
                try await bench.sql("SELECT $outbox.enqueue('d', 'one')")
                try await eventually("the first delivers") { first.count == 1 }
                #expect(try await bench.ownerCount() == 1)
                #expect(second.count == 0)
            }
        }
        // Now the other way round: the first ends while the second waits.
        let third = bench.relay(["d": .handler { second.add($0) }])
        try await bench.run(third) {
            try await bench.sql("SELECT $outbox.enqueue('d', 'two')")
            try await eventually("the next one delivers") { second.texts == ["two"] }
        }
        #expect(first.texts == ["one"])
    }

    @Test func theStandbyTakesOverWhenTheOwnersSessionEnds() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let owners = Atomic(0)
        let routes: RelayRoutes = ["d": .handler { deliveries.add($0) }]
        try await bench.run(bench.relay(routes)) {
            try await bench.run(bench.relay(routes)) {
                for round in 1...20 {
                    try await eventually("a relay owns the outbox") { try await bench.ownerCount() == 1 }
                    try await bench.sql("SELECT $outbox.enqueue('d', '\(round)')")
                    try await eventually("round \(round) is delivered") { deliveries.texts.contains("\(round)") }
                    if try await bench.ownerCount() > 1 { owners.add(1, ordering: .relaxed) }
                    try await bench.terminateOwner()
                }
            }
        }
        #expect(owners.load(ordering: .relaxed) == 0, "never both")
        #expect(Set(deliveries.texts) == Set((1...20).map(String.init)))
    }

    @Test func aTerminatedBackendLosesNothingAndRepeatsTheWindowAtMost() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        var settings = RelayBench.quick
        settings.page.messages = 50
        settings.window.messages = 200
        let relay = bench.relay(["d": .handler { deliveries.add($0) }], settings: settings)
        let kills = 30
        try await bench.run(relay) {
            for _ in 1...kills {
                let before = deliveries.count
                try await bench.sql(
                    """
                    INSERT INTO $outbox.message (destination, payload, key)
                    SELECT 'd', ''::bytea, 'k' || i % 11 FROM generate_series(1, 300) AS i
                    """)
                try await eventually("it delivers") { deliveries.count > before }
                try await bench.terminateOwner()
            }
            try await eventually("all are delivered") { Set(deliveries.all.map(\.id)).count == 300 * kills }
        }
        #expect(deliveries.count - 300 * kills <= kills * 200, "each kill repeats the uncommitted window at most")
        // The first time each message is seen, those of its key before it have been seen.
        var seen: Set<Int64> = []
        let firsts = deliveries.all.filter { seen.insert($0.id).inserted }
        for items in Dictionary(grouping: firsts, by: \.key).values {
            #expect(zip(items, items.dropFirst()).allSatisfy { $0.id < $1.id })
        }
        #expect(try await bench.pendingCount() == 0)
    }

    @Test func aServerThatRestartsOrCrashesNeedsNoOne() async throws {
        try await EphemeralPostgres.with { server in
            let bench = try await RelayBench.make(postgres: LibPQConfiguration(server.url))
            let deliveries = Deliveries()
            let relay = bench.relay(["d": .handler { deliveries.add($0) }])
            try await bench.run(relay) {
                try await bench.sql("SELECT $outbox.enqueue('d', 'before')")
                try await eventually("it delivers") { deliveries.count == 1 }
                try await server.restart(.fast)
                try await enqueue("after a restart", bench)
                try await eventually("it delivers after a restart") { deliveries.texts.contains("after a restart") }
                try await server.kill()
                try await server.startAgain()
                try await enqueue("after a crash", bench)
                try await eventually("it delivers after a crash") { deliveries.texts.contains("after a crash") }
            }
            #expect(Set(deliveries.texts) == ["before", "after a restart", "after a crash"])
        }
    }

    private func enqueue(_ text: String, _ bench: RelayBench) async throws {
        let connection = try await LibPQConnection.connect(bench.postgres)
        try await connection.execute(script: bench.render("SELECT $outbox.enqueue('d', '\(text)')"))
    }
}

@Suite(.schema, .timeLimit(.minutes(10))) struct ShutdownTests {
    @Test func aGracefulEndFinishesWhatHasBegunAndCommitsIt() async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let gate = Gate()
        try await bench.sql("SELECT $outbox.enqueue('d', 'slow')")
        let relay = bench.relay([
            "d": .handler { message in
                await gate.enter()
                deliveries.add(message)
            }
        ])
        try await bench.run(relay) {
            await gate.waitUntilEntered()
            relay.stop()
            await gate.open()
        }
        #expect(deliveries.texts == ["slow"])
        #expect(try await bench.pendingCount() == 0, "committed before it ended")
        try await eventually("and released") { try await bench.ownerCount() == 0 }
    }

    @Test func afterTheDeadlineHandlersAreCancelledAndNothingIsLost() async throws {
        let bench = try await RelayBench.make()
        let gate = Gate()
        try await bench.sql("SELECT $outbox.enqueue('d', 'stuck')")
        var settings = RelayBench.quick
        settings.shutdown.deadline = .milliseconds(20)
        let relay = bench.relay(
            [
                "d": .handler(parking: .never) { _ in
                    await gate.markEntered()
                    try await Task.sleep(for: .seconds(3600))  // until it is cancelled
                }
            ], settings: settings)
        try await bench.run(relay) {
            await gate.waitUntilEntered()
        }
        #expect(try await bench.pendingCount() == 1)
        let deliveries = Deliveries()
        try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }])) {
            try await eventually("the next relay delivers it") { deliveries.texts == ["stuck"] }
        }
        #expect(deliveries.all.map(\.attempt) == [1], "a cancelled handler is not a failed attempt")
    }

    @Test func aCancelledRelayEndsAtOnce() async throws {
        let bench = try await RelayBench.make()
        let relay = bench.relay(["d": .handler { _ in }])
        let task = Task { try await relay.run() }
        try await eventually("it owns the outbox") { try await bench.ownerCount() == 1 }
        task.cancel()
        await #expect(throws: (any Error).self) { try await task.value }
        try await eventually("its session is gone") { try await bench.ownerCount() == 0 }
    }
}

/// Where a handler waits until the test lets it go on.
actor Gate {
    private var isEntered = false
    private var isOpen = false
    private var entering: [CheckedContinuation<Void, Never>] = []
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func enter() async {
        self.markEntered()
        if self.isOpen { return }
        await withCheckedContinuation { self.waiting.append($0) }
    }

    func markEntered() {
        self.isEntered = true
        for continuation in self.entering { continuation.resume() }
        self.entering = []
    }

    func waitUntilEntered() async {
        if self.isEntered { return }
        await withCheckedContinuation { self.entering.append($0) }
    }

    func open() {
        self.isOpen = true
        for continuation in self.waiting { continuation.resume() }
        self.waiting = []
    }
}
