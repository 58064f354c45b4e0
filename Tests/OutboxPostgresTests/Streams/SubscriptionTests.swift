import Outbox
import OutboxTestServers
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// Subscriptions are listed and dropped.
@Suite(.schema, .timeLimit(.minutes(10))) struct SubscriptionTests {
    private struct Unready: Error {}

    private func settings(_ subscription: String, _ position: FirstPosition = .startOfLog) -> RelaySettings {
        var settings = RelayBench.quick
        settings.subscription = subscription
        settings.firstPosition = position
        return settings
    }

    private func code(_ body: () async throws -> Void) async -> OutboxError.Code? {
        do { try await body() } catch { return (error as? OutboxError)?.code }
        return nil
    }

    /// Two subscriptions of the destinations d and e, each with messages that are read, deferred and dead.
    private func filled(_ bench: RelayBench) async throws {
        try await bench.sql("SELECT $outbox.enqueue('d', 'x') FROM generate_series(1, 10)")
        try await bench.sql("SELECT $outbox.enqueue('e', 'x')")
        for name in ["main", "second"] {
            let handled = Atomic(0)
            let routes: RelayRoutes = [
                "d": .handler(retry: .constant(.seconds(3600))) { message in
                    handled.add(1, ordering: .relaxed)
                    let id = message.id
                    if id % 5 == 1 { throw DeliveryFailure.reject("no") }
                    if id % 5 == 2 { throw Unready() }
                },
                "e": .handler { _ in },
            ]
            try await bench.run(bench.relay(routes, settings: self.settings(name))) {
                try await eventually("all are handled") { handled.load(ordering: .relaxed) == 10 }
            }
        }
        try await bench.sql("SELECT $outbox.enqueue('d', 'y') FROM generate_series(1, 3)")
    }

    @Test func eachHasItsOwnAndIsDroppedAlone() async throws {
        let bench = try await RelayBench.make()
        let subscriptions = OutboxSubscriptions(schema: bench.schema)
        #expect(try await subscriptions.list(on: bench.admin).isEmpty)
        try await self.filled(bench)
        let both = try await subscriptions.list(on: bench.admin)
        #expect(both.map(\.name) == ["main", "second"])
        for one in both {
            #expect(one.streams == 2 && one.destinations == 2 && one.relays.isEmpty)
            #expect(one.lag.value == 3 && one.deferred.value == 2 && one.dead.value == 2 && one.lagTime != nil)
        }
        try await OutboxStreams(schema: bench.schema).split("d", into: 4, subscription: "second", on: bench.admin)
        let split = try await subscriptions.subscription(named: "second", on: bench.admin)
        #expect(split.streams == 5 && split.destinations == 2 && split.lag.value == 3)
        let limited = try await subscriptions.list(countLimit: 1, on: bench.admin)
        #expect(limited.allSatisfy { $0.deferred.description == "≥1" && !$0.lag.isExact })

        let removal = try await subscriptions.drop("second", on: bench.admin)
        #expect(removal == OutboxSubscription.Removal(streams: 5, deferred: 2, dead: 2))
        #expect(try await subscriptions.list(on: bench.admin).map(\.name) == ["main"])
        let main = try await subscriptions.subscription(named: "main", on: bench.admin)
        #expect(main.streams == 2 && main.lag.value == 3 && main.deferred.value == 2 && main.dead.value == 2)
        #expect(await self.code { try await subscriptions.drop("second", on: bench.admin) } == .subscriptionMissing)
        #expect(
            await self.code { _ = try await subscriptions.subscription(named: "second", on: bench.admin) }
                == .subscriptionMissing)
        try await eventually("the server has noticed its end") {
            try await bench.count("SELECT count(*) FROM pg_locks WHERE \(RelayBench.ownsStream)") == 0
        }
        // What streams that were removed by SQL have left is listed, and goes.
        try await bench.sql("DELETE FROM $outbox.stream")
        let left = try await subscriptions.subscription(named: "main", on: bench.admin)
        #expect(left.streams == 0 && left.lag.value == 0 && left.dead.value == 2)
        #expect(try await subscriptions.drop("main", on: bench.admin).deferred == 2)
        #expect(try await subscriptions.list(on: bench.admin).isEmpty)
    }

    @Test func itIsRefusedWhileARelayIsAtWork() async throws {
        let bench = try await RelayBench.make()
        let subscriptions = OutboxSubscriptions(schema: bench.schema)
        let deliveries = Deliveries()
        let (first, second) = (
            bench.relay(["d": .handler { deliveries.add($0) }], settings: self.settings("second")),
            bench.relay(["d": .handler { deliveries.add($0) }], settings: self.settings("second"))
        )
        try await bench.run(first) {
            try await eventually("it works") { try await bench.ownerCount() == 1 }
            #expect(await self.code { try await subscriptions.drop("second", on: bench.admin) } == .subscriptionBusy)
            try await bench.sql("SELECT $outbox.enqueue('d', 'x')")
            try await eventually("it works on") { deliveries.count == 1 }
            try await bench.run(second) {
                try await eventually("another one stands by") {
                    try await subscriptions.subscription(named: "second", on: bench.admin).relays.count == 2
                }
            }
            // Other subscriptions' relays do not matter.
            #expect(await self.code { try await subscriptions.drop("third", on: bench.admin) } == .subscriptionMissing)
        }
        try await eventually("its session is gone") {
            try await subscriptions.subscription(named: "second", on: bench.admin).relays.isEmpty
        }
        #expect(try await subscriptions.drop("second", on: bench.admin).streams == 1)
        // A session that holds a stream's lock and is no relay.
        try await bench.sql(
            """
            INSERT INTO $outbox.stream (subscription, destination, snapshot, position, horizon)
            VALUES ('second', 'd', pg_current_snapshot(), 0, pg_current_xact_id())
            """)
        try await bench.sql(
            "SELECT pg_advisory_lock('$outbox.message'::regclass::oid::int, min(id)) FROM $outbox.stream")
        let other = try await LibPQConnection.connect(bench.postgres)
        #expect(
            await self.code { try await subscriptions.drop("second", waitingFor: .milliseconds(1), on: other) }
                == .streamBusy)
        #expect(try await bench.count("SELECT count(*) FROM $outbox.stream") == 1)
    }

    /// As if a relay had begun just when the subscription was dropped.
    @Test(arguments: [1, 4]) func aRelayUnderWhichItIsDroppedBeginsAgain(streams: Int) async throws {
        let bench = try await RelayBench.make()
        let subscriptions = OutboxSubscriptions(schema: bench.schema)
        let deliveries = Deliveries()
        let fails = Atomic(false)
        var routes: RelayRoutes = [:]
        routes.others = .handler(retry: .constant(.seconds(3600))) { message in
            if fails.load(ordering: .relaxed) { throw Unready() }
            deliveries.add(message)
        }
        let store = PostgresStore(
            postgres: bench.postgres, schema: bench.schema, wakeup: .notify(fallback: nil),
            streamsPerDestination: streams)
        let relay = bench.relay(routes, settings: self.settings("second", .now), store: store)
        let events = relay.events
        let connection = try await LibPQConnection.connect(bench.postgres)
        try await bench.sql("SELECT $outbox.enqueue('d', 'old', key => 'k' || i) FROM generate_series(1, 50) AS i")
        var expected = 0
        try await bench.run(relay) {
            try await eventually("it works") { try await bench.ownerCount() == 1 }
            for round in 1...4 {
                try await bench.sql(
                    "SELECT $outbox.enqueue('d', 'before \(round)', key => 'k' || i) FROM generate_series(1, 50) AS i")
                expected += 50
                try await eventually("all are delivered") { deliveries.count == expected }
                fails.store(true, ordering: .relaxed)
                try await bench.sql(
                    "SELECT $outbox.enqueue('d', 'fails \(round)', key => 'k' || i) FROM generate_series(1, 10) AS i")
                try await eventually("some are deferred") { try await bench.deferredCount() == 10 }
                fails.store(false, ordering: .relaxed)
                let removal = try await subscriptions.drop(
                    "second", waitingFor: .seconds(120), besideRelays: true, on: connection)
                #expect(removal.streams == streams && removal.deferred == 10)
                try await eventually("the relay has made it again") {
                    let isThere = try await bench.count("SELECT count(*) FROM $outbox.stream") == streams
                    if !isThere { return false }
                    return try await bench.ownerCount() == 1
                }
                #expect(try await bench.deferredCount() == 0)
            }
            try await bench.sql("SELECT $outbox.enqueue('d', 'last', key => 'k') FROM generate_series(1, 50)")
            try await eventually("it delivers") { deliveries.count == expected + 50 }
            try await eventually("it sleeps") { try await bench.isAsleep() }
        }
        #expect(deliveries.count == expected + 50 && deliveries.isOrderedByKey)
        #expect(Set(deliveries.all.map(\.id)).count == deliveries.count, "each once")
        #expect(!deliveries.texts.contains("old"))
        for await event in events { if case .disconnected = event { Issue.record("\(event)") } }
        try await eventually("the server has noticed its end") {
            try await bench.count("SELECT count(*) FROM pg_locks WHERE \(RelayBench.ownsStream)") == 0
        }
    }

    @Test func theLogWaitsForTheSlowestSubscriptionUntilItIsDropped() async throws {
        let bench = try await RelayBench.make()
        let subscriptions = OutboxSubscriptions(schema: bench.schema)
        let store = PostgresStore(
            postgres: bench.postgres, schema: bench.schema, wakeup: .notify(fallback: nil), segments: nil)
        let deliveries = Deliveries()
        let routes: RelayRoutes = ["d": .handler { deliveries.add($0) }]
        func deliver(to name: String, _ position: FirstPosition = .startOfLog, until count: Int) async throws {
            try await bench.run(bench.relay(routes, settings: self.settings(name, position), store: store)) {
                try await eventually("it has begun") {
                    try await bench.count(
                        "SELECT count(*) FROM $outbox.stream WHERE subscription = $1", [.text(name)]) == 1
                }
                try await eventually("all are delivered") { deliveries.count == count }
            }
        }
        try await deliver(to: "slow", until: 0)
        try await bench.sql("SELECT $outbox.enqueue('d', 'x') FROM generate_series(1, 20)")
        try await deliver(to: "main", until: 20)
        // A subscription that begins now has passed all that there is.
        try await deliver(to: "new", .now, until: 20)
        for _ in 1...3 {
            try await bench.clean()
            #expect(try await bench.count("SELECT count(*) FROM $outbox.message") == 20)
        }
        #expect(try await subscriptions.drop("slow", on: bench.admin).streams == 1)
        try await eventually("the log is emptied") {
            try await bench.clean()
            return try await bench.count("SELECT count(*) FROM $outbox.message") == 0
        }
        // The last one of a destination: what comes waits for one that begins.
        try await subscriptions.drop("main", on: bench.admin)
        try await subscriptions.drop("new", on: bench.admin)
        try await bench.sql("SELECT $outbox.enqueue('d', 'x') FROM generate_series(1, 5)")
        for _ in 1...3 { try await bench.clean() }
        #expect(try await bench.count("SELECT count(*) FROM $outbox.message") == 5)
        try await deliver(to: "main", until: 25)
    }

    /// A relay that looks who has what once a second is asleep all the same: it reads nothing.
    @Test func relaysOfTwoSubscriptionsReadNothingWhileBothSleep() async throws {
        try await EphemeralPostgres.with(
            .init(parameters: ["autovacuum": "off", "shared_preload_libraries": "pg_stat_statements", "fsync": "off"])
        ) { server in
            let bench = try await RelayBench.make(postgres: LibPQConfiguration(server.url))
            try await bench.script("CREATE EXTENSION pg_stat_statements")
            let (main, second) = (Deliveries(), Deliveries())
            let relays = [("main", main), ("second", second)].map { name, deliveries in
                var settings = RelaySettings()
                settings.subscription = name
                settings.commit.interval = .milliseconds(5)
                return bench.relay(["d": .handler { deliveries.add($0) }, "e": .handler { _ in }], settings: settings)
            }
            func calls(_ condition: String) async throws -> Int {
                try await bench.count(
                    "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements WHERE \(condition)")
            }
            let reads =
                "query LIKE '%destination NULLS FIRST%' OR query LIKE 'BEGIN%REPEATABLE READ%' OR query LIKE '%pg_snapshot_xip%'"
            let looks = "query LIKE '%pg_get_userbyid(activity.usesysid)%'"
            try await bench.run(relays[0]) {
                try await bench.run(relays[1]) {
                    try await eventually("both work") { try await bench.ownerCount() == 2 }
                    try await bench.sql("SELECT $outbox.enqueue('d', 'x')")
                    try await eventually("it is delivered to both") { main.count == 1 && second.count == 1 }
                    // Each looks once a second; after three looks of both nothing is left from before.
                    try await bench.script("SELECT pg_stat_statements_reset()")
                    try await eventually("both have looked") { try await calls(looks) >= 6 }
                    try await eventually("the keeper sleeps") { try await bench.isAsleep() }
                    try await bench.script("SELECT pg_stat_statements_reset()")
                    try await eventually("both have looked") { try await calls(looks) >= 8 }
                    #expect(try await calls(reads) <= 2)
                    try await bench.sql("SELECT $outbox.enqueue('d', 'x')")
                    try await eventually("both are awake") { main.count == 2 && second.count == 2 }
                }
            }
        }
    }
}
