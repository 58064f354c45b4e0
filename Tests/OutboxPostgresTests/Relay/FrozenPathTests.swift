import Outbox
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// A running relay whose path to the server passes nothing on any more, in both directions, while its sockets stay open.
@Suite(.schema, .timeLimit(.minutes(5))) struct FrozenPathTests {
    /// What the relay is doing when that happens.
    enum Activity: CaseIterable {
        /// It holds the bell.
        case sleeping
        /// It notes that it begins to deliver.
        case beginning
        /// It reads and delivers a backlog.
        case delivering
        /// The server is executing a commit of outcomes.
        case committing
    }

    /// Keeps the relay's next commits that change one of the stream's columns for as long as `holding` has a row.
    private func holdCommits(of column: String, _ bench: RelayBench) async throws {
        try await bench.script(
            """
            CREATE TABLE $outbox.holding (); INSERT INTO $outbox.holding DEFAULT VALUES;
            CREATE FUNCTION $outbox.hold() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                -- A condition that names the table would lock it in every transaction that changes the row, for the trigger plans it whole.
                IF OLD.\(column) <> NEW.\(column) THEN
                    WHILE EXISTS (SELECT FROM $outbox.holding) LOOP
                        PERFORM pg_sleep(0.005);
                    END LOOP;
                END IF;
                RETURN NULL;
            END $$;
            CREATE TRIGGER hold AFTER UPDATE ON $outbox.stream FOR EACH ROW EXECUTE FUNCTION $outbox.hold()
            """)
    }

    /// Whether a commit is kept: its transaction has read `holding`.
    private func holdsACommit(_ bench: RelayBench) async throws -> Bool {
        try await bench.count(
            """
            SELECT count(*) FROM pg_locks
            WHERE locktype = 'relation' AND relation = '$outbox.holding'::regclass AND mode = 'AccessShareLock'
                AND pid <> pg_backend_pid()
            """) > 0
    }

    /// - Parameter isOpen: Whether new connections can be made before the relay has noticed. None can before a commit that was kept has ended:
    ///   a relay that connects meanwhile ends it, for then nothing was promised.
    @Test(arguments: Activity.allCases, [true, false])
    func aRelayNoticesAndGoesOnOverAnotherConnection(activity: Activity, isOpenForOthers isOpen: Bool) async throws {
        let bench = try await RelayBench.make()
        let proxy = try FreezingProxy(to: try await serverSocket())
        defer { proxy.end() }
        var proxied = try await configuration(through: proxy, limit: SilenceTests.limit)
        proxied.parameters["connect_timeout"] = "2"
        switch activity {
        case .beginning: try await self.holdCommits(of: "starts", bench)
        case .committing: try await self.holdCommits(of: "position", bench)
        case .sleeping, .delivering: break
        }
        let hasFrozen = Atomic(false)
        @Sendable func freeze() {
            if hasFrozen.exchange(true, ordering: .relaxed) { return }
            let isKept = activity == .beginning || activity == .committing
            if !isOpen || isKept { proxy.limitNew(.init(toServer: 0)) }
            proxy.freeze()
        }
        let deliveries = Deliveries()
        var paged = RelayBench.quick
        paged.page.messages = 100
        paged.window.messages = 200
        let relay = bench.relay(
            [
                "d": .handler { message in
                    deliveries.add(message)
                    if activity == .delivering, deliveries.count == 500 { freeze() }
                }
            ], settings: paged,
            // A path that is dead is found by using it.
            store: PostgresStore(
                postgres: proxied, schema: bench.schema, wakeup: .notify(fallback: .milliseconds(100))))
        let count = activity == .delivering ? 1000 : 50
        let enqueue = """
            INSERT INTO $outbox.message (destination, payload, key)
            SELECT 'd', convert_to(i::text, 'UTF8'), 'k' || i % 7 FROM generate_series(1, \(count)) AS i
            """
        let events = relay.events(bufferingNewest: 100_000)
        try await bench.run(relay) {
            switch activity {
            case .sleeping:
                try await eventually("it sleeps") { try await bench.isAsleep() }
                freeze()
                try await bench.sql(enqueue)
            case .delivering:
                try await bench.sql(enqueue)
            case .beginning, .committing:
                try await bench.sql(enqueue)
                try await eventually("a commit is under way") { try await self.holdsACommit(bench) }
                freeze()
                try await bench.sql("DELETE FROM $outbox.holding")
                try await eventually("the commit has ended") { try await !self.holdsACommit(bench) }
                if isOpen { proxy.limitNew(.init()) }
            }
            for await event in events {
                if case .disconnected = event { break }
            }
            if !isOpen { proxy.restart() }
            try await eventually("everything is delivered and stored") {
                try await bench.pendingCount() == 0
            }
            #expect(proxy.connectionCount > 1)
        }
        #expect(Set(deliveries.all.map(\.id)).count == count)
        #expect(deliveries.all.allSatisfy { $0.attempt == 1 })
        #expect(deliveries.isOrderedByKeyButForRepeats)
        // Nothing had been delivered, or the commit was made though its answer was lost.
        if activity != .delivering { #expect(deliveries.count == count) }
        #expect(deliveries.count <= count + 200 + 100, "a window and a page")
        #expect(try await bench.deadCount() == 0)
    }
}

extension Deliveries {
    /// Whether no message came before an earlier one of its key had come once.
    fileprivate var isOrderedByKeyButForRepeats: Bool {
        Dictionary(grouping: self.all, by: \.key).values.allSatisfy { items in
            var seen: Set<Int64> = []
            let first = items.map(\.id).filter { seen.insert($0).inserted }
            return first == first.sorted()
        }
    }
}
