import Foundation
import Outbox
import OutboxSQL
import OutboxTestServers
import TestSupport
import Testing

@testable import OutboxPostgres

/// A server that has none left of something that a relay or a producer needs.
@Suite(.schema, .timeLimit(.minutes(5))) struct FullServerTests {
    /// `max_connections` is reached while a relay has lost its session.
    @Test func aRelayForWhichThereIsNoConnectionTriesAgain() async throws {
        try await EphemeralPostgres.with(
            .init(parameters: ["max_connections": "10", "superuser_reserved_connections": "3"])
        ) { server in
            let bench = try await RelayBench.make(postgres: LibPQConfiguration(server.url))
            try await bench.script("CREATE ROLE relay LOGIN; \(bench.schema.grants(relay: "relay"))")
            var postgres = bench.postgres
            postgres.parameters["user"] = "relay"
            let deliveries = Deliveries()
            let relay = bench.relay(
                ["d": .handler { deliveries.add($0) }], store: PostgresStore(postgres: postgres, schema: bench.schema))
            let events = relay.events
            try await bench.run(relay) {
                try await eventually("it sleeps") { try await bench.isAsleep() }
                // With the relay's own, none is left but those that are reserved.
                var others: [LibPQConnection] = []
                for _ in 1...6 { others.append(try await LibPQConnection.connect(bench.postgres)) }
                try await bench.terminateOwner()
                var refusals = 0
                for await event in events {
                    if case .disconnected(let reason, _) = event, reason.contains("53300") { refusals += 1 }
                    if refusals == 3 { break }
                }
                try await bench.sql("SELECT $outbox.enqueue('d', 'x')")
                #expect(deliveries.count == 0)
                for connection in others { await connection.close() }
                try await eventually("it works again") { deliveries.texts == ["x"] }
                try await eventually("and sleeps") { try await bench.isAsleep() }
            }
        }
    }

    /// The table of deferred messages has no room: its file is one of a disk that is always full.
    @Test func outcomesThatFindNoRoomOnTheDiskAreKept() async throws {
        try await EphemeralPostgres.with { server in
            let bench = try await RelayBench.make(postgres: LibPQConfiguration(server.url))
            let path = try await bench.sql("SELECT pg_relation_filepath('$outbox.deferred')")[0].decode(
                0, as: String.self)
            let file = "\(server.folder)/data/\(path)"
            try FileManager.default.removeItem(atPath: file)
            try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: "/dev/full")
            let deliveries = Deliveries()
            let log = LogLines()
            let relay = Relay(
                store: bench.store,
                routes: [
                    "d": .handler(retry: .constant(.milliseconds(1), maximumAttempts: 3)) { message in
                        deliveries.add(message)
                        if message.attempt == 1 { throw DeliveryFailure.retry("the first attempt") }
                    },
                    "other": .handler { deliveries.add($0) },
                ], settings: RelayBench.quick, logger: log.logger)
            try await bench.run(relay) {
                try await bench.sql("SELECT $outbox.enqueue('d', 'x')")
                try await eventually("the log says why it waits") { log.all.contains { $0.contains("53100") } }
                try await bench.sql("SELECT $outbox.enqueue('other', 'y')")
                try await eventually("another destination goes on") {
                    try await bench.count(
                        "SELECT count(*) FROM $outbox.stream WHERE destination = 'other' AND position > 0") == 1
                }
                // The table gets a new file.
                try await bench.sql("TRUNCATE $outbox.deferred")
                try await eventually("what was kept is stored, and tried again") {
                    try await bench.pendingCount() + bench.deferredCount() == 0
                }
            }
            #expect(deliveries.texts.sorted() == ["x", "x", "y"] && deliveries.all.map(\.attempt).max() == 2)
            #expect(!log.all.contains { $0.contains("Session ended") }, "\(log.all)")
        }
    }

    /// A session that listens and stays in a transaction keeps the server from forgetting notifications, until there is no room for more.
    ///
    /// Before PostgreSQL 17 that takes 8 GB. There, a function fails as the server would at the end of a transaction that notifies.
    ///
    /// - Parameter body: Is given a store, and what fills the queue and what empties it again.
    private func withQueue(
        _ wakeup: PostgresStore.Wakeup, _ body: (RelayBench, PostgresStore, FillableQueue) async throws -> Void
    ) async throws {
        let version = Int(try await TestServer.shared.psql("SHOW server_version_num")[0]) ?? 0
        let isReal = version >= 170_000
        try await EphemeralPostgres.with(.init(parameters: isReal ? ["max_notify_queue_pages": "64"] : [:])) { server in
            let bench = try await RelayBench.make(postgres: LibPQConfiguration(server.url))
            var statements = bench.schema.statements
            if !isReal { try await bench.prepareStandInQueue(&statements) }
            let store = PostgresStore(
                postgres: bench.postgres, schema: bench.schema, wakeup: wakeup, statements: statements, policy: nil)
            try await body(bench, store, FillableQueue(bench: bench, isReal: isReal))
        }
    }

    @Test func aFullQueueOfNotificationsStopsNeitherProducersNorRelays() async throws {
        // It rests on its fallback poll while nothing can ring.
        try await self.withQueue(.notify(fallback: .milliseconds(100))) { bench, store, queue in
            let deliveries = Deliveries()
            let others = Deliveries()
            let refusing = DestinationHandler.handler { message in
                if message.payload == Array("bad".utf8) { throw DeliveryFailure.reject("no") }
                deliveries.add(message)
            }
            try await bench.run(bench.relay(["d": refusing], store: store)) {
                try await eventually("it sleeps") { try await bench.isAsleep() }
                let filling = try await queue.fill()
                try await eventually("it gives up the bell, so that producers need not ring") {
                    try await !bench.hasKeeper()
                }
                try await bench.sql("SELECT $outbox.enqueue('d', '1')")
                try await eventually("it works") { deliveries.texts == ["1"] }
                // A message can die, though nothing can be told of it.
                try await bench.sql("SELECT $outbox.enqueue('d', 'bad')")
                try await eventually("it is a dead letter") {
                    try await bench.count("SELECT count(*) FROM $outbox.dead_letter") == 1
                }
                try await self.requireRefusalOfWhoRings(bench)
                // A session that begins with the queue as it is keeps no bell either.
                try await bench.terminateOwner()
                try await eventually("another session is there") { try await bench.ownerCount() == 1 }
                try await bench.sql("SELECT $outbox.enqueue('d', '2')")
                try await eventually("it works") { deliveries.texts.contains("2") }
                // A further relay that nothing tells of.
                try await bench.run(bench.relay(["e": .handler { others.add($0) }], store: store)) {
                    try await bench.sql("SELECT $outbox.enqueue('e', '3')")
                    try await eventually("it works too") { others.texts == ["3"] }
                    try await queue.empty(filling)
                    // The server does not find out by itself that there is room.
                    try await eventually("they sleep") { try await bench.isAsleep() }
                    try await bench.sql("SELECT $outbox.enqueue('e', '4')")
                    try await eventually("producers ring again") { others.texts == ["3", "4"] }
                }
            }
            #expect(Set(deliveries.texts) == ["1", "2"] && deliveries.count <= 3, "\(deliveries.texts)")
            #expect(try await bench.count("SELECT count(*) FROM $outbox.message") == 5)
        }
    }

    /// The keeper gives up the bell and cannot say so. What comes then rings for nobody, and no poll would find it.
    @Test func relaysThatSleepByTheWordOfAKeeperDoNotSleepOnWhenItsNextOneIsRefused() async throws {
        try await self.withQueue(.notify(fallback: nil)) { bench, store, queue in
            let deliveries = Deliveries()
            let routes: [RelayRoutes] = [
                ["d": .handler { deliveries.add($0) }], ["e": .handler { deliveries.add($0) }],
            ]
            try await bench.run(bench.relay(routes[0], store: store)) {
                try await bench.run(bench.relay(routes[1], store: store)) {
                    for text in ["d", "e"] { try await bench.sql("SELECT $outbox.enqueue('\(text)', '\(text)')") }
                    try await eventually("both work") { Set(deliveries.texts) == ["d", "e"] }
                    // One that sleeps looks at the locks and asks for nothing else.
                    var looks = 0
                    try await eventually("both sleep") {
                        let (isAsleep, areLooking) = (try await bench.isAsleep(), try await bench.areLooking(2))
                        looks = isAsleep && areLooking ? looks + 1 : 0
                        return looks >= 10
                    }
                    let filling = try await queue.fill()
                    try await eventually("the bell has no keeper") { try await !bench.hasKeeper() }
                    for text in ["d", "e"] { try await bench.sql("SELECT $outbox.enqueue('\(text)', '\(text)2')") }
                    try await eventually("both have noticed") { Set(deliveries.texts).isSuperset(of: ["d2", "e2"]) }
                    try await queue.empty(filling)
                }
            }
        }
    }

    /// What a producer is told that finds the bell taken.
    private func requireRefusalOfWhoRings(_ bench: RelayBench) async throws {
        let keeper = try await LibPQConnection.connect(bench.postgres)
        try await keeper.execute(
            script: bench.render("SELECT pg_advisory_lock('$outbox.message'::regclass::oid::bigint::int, 0)"))
        let error = await postgresError { try await bench.sql("SELECT $outbox.enqueue('d', 'rings')") }
        #expect(
            error?.sqlState == "54000" && error?.description.contains("outbox.doorbell") == true,
            "\(String(describing: error))")
        // Its process may outlive the connection for a moment, and what rings meanwhile is refused.
        try await keeper.execute(script: "SELECT pg_advisory_unlock_all()")
        await keeper.close()
    }
}

/// A queue of notifications that a test fills.
private struct FillableQueue {
    let bench: RelayBench
    let isReal: Bool

    /// - Returns: The session that keeps it full; nil: a row does.
    func fill() async throws -> LibPQConnection? {
        if self.isReal { return try await self.bench.fillQueue() }
        try await self.bench.script("INSERT INTO $outbox.full_queue DEFAULT VALUES")
        return nil
    }

    func empty(_ filling: LibPQConnection?) async throws {
        await filling?.close()
        if !self.isReal { try await self.bench.sql("DELETE FROM $outbox.full_queue") }
    }
}

extension RelayBench {
    /// Whether the last that so many relays have asked was who has which locks.
    fileprivate func areLooking(_ count: Int) async throws -> Bool {
        try await self.count(
            """
            SELECT count(*) FROM pg_stat_activity
            WHERE application_name LIKE 'outbox relay%' AND query LIKE '%AS is_own, holder.owned%'
            """) == count
    }

    /// - Returns: The session that keeps the queue full.
    fileprivate func fillQueue() async throws -> LibPQConnection {
        let listener = try await LibPQConnection.connect(self.postgres)
        try await listener.execute(script: "LISTEN elsewhere")
        try await listener.execute(script: "BEGIN; SELECT 1")
        // A notification of almost a page each.
        for number in 1...1000 {
            let error = await postgresError {
                try await self.sql("SELECT pg_notify('elsewhere', repeat('x', 7900) || \(number))")
            }
            if error?.sqlState == "54000" { return listener }
        }
        Issue.record("the queue is not full")
        return listener
    }

    /// Refuses producers that ring, and the words of relays, while `full_queue` has a row.
    fileprivate func prepareStandInQueue(_ statements: inout Statements) async throws {
        try await self.script(
            """
            CREATE TABLE $outbox.full_queue ();
            CREATE FUNCTION $outbox.notification() RETURNS text LANGUAGE plpgsql AS $$
            BEGIN
                IF EXISTS (SELECT FROM $outbox.full_queue) THEN
                    RAISE EXCEPTION 'too many notifications in the NOTIFY queue' USING ERRCODE = '54000';
                END IF;
                RETURN '';
            END $$;
            CREATE FUNCTION $outbox.queue_usage() RETURNS double precision LANGUAGE sql AS
                'SELECT count(*)::double precision FROM $outbox.full_queue';
            CREATE OR REPLACE FUNCTION $outbox.ring() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
            BEGIN
                IF current_setting('outbox.doorbell', true) IS DISTINCT FROM 'off' THEN
                    PERFORM $outbox.notification();
                    PERFORM pg_notify('outbox_' || TG_RELID, '');
                END IF;
                RETURN NULL;
            END $$;
            DO $$
            BEGIN
                EXECUTE replace(
                    replace(
                        pg_get_functiondef('$outbox.announce_dead_letter'::regproc),
                        'pg_notification_queue_usage', '$outbox.queue_usage'),
                    'pg_notify(', '$outbox.notification() || pg_notify(');
            END $$
            """)
        statements.tell.text += self.render(" WHERE $outbox.notification() = ''")
        statements.look.text = statements.look.text.split(separator: "pg_notification_queue_usage").joined(
            separator: self.render("$outbox.queue_usage"))
        // After the lock.
        statements.keep.text = statements.keep.text.split(separator: "pg_notify(").joined(
            separator: self.render("$outbox.notification() || pg_notify("))
    }
}
