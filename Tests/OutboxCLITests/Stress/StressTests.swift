import Foundation
import OutboxPostgres
import OutboxTestServers
import TestSupport
import Testing

/// Writers of every kind against a relay that is killed over and over, and that has nothing but NOTIFY to wake it.
///
/// Short in every run; as long as `OUTBOX_STRESS_SECONDS` says.
@Suite(.timeLimit(.minutes(StressSettings.minutes(atLeast: 10)))) struct StressTests {
    private let seconds = StressSettings.seconds(otherwise: 8)
    private let window = 500

    @Test func nothingIsLostAndKeysStayInOrder() async throws {
        let server = try await EphemeralPostgres.start(.init(parameters: ["max_connections": "100"]))
        let outbox = TestOutbox(schema: "stress", url: server.url)
        try await outbox("migrate", "up")
        let target = Writer.Target(url: server.url, schema: "stress", destinations: ["d"])
        let deliveries = FileManager.default.temporaryDirectory.appendingPathComponent("outbox-stress-\(UUID()).ndjson")
        let admin = try await LibPQConnection.connect(LibPQConfiguration(server.url))
        try await admin.execute(script: Writer.setUp(target))
        try await RelayProcess.with(
            [
                "relay", "--postgres", server.url, "--schema", "stress", "--no-fallback-poll",
                "--window", "\(self.window)", "--page", "100", "--route", "d=file:\(deliveries.path)",
                "--log-level", "critical",
            ]
        ) { relay in
            try await self.writeAndDisturb(target, relay, deliveries, admin)
            try await self.settle(relay, deliveries, admin)
            try await self.check(relay, deliveries, admin)
        }
        try? FileManager.default.removeItem(at: deliveries)
        await server.stop()
    }

    private func writeAndDisturb(
        _ target: Writer.Target, _ relay: RelayProcess, _ deliveries: URL, _ admin: LibPQConnection
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(self.seconds)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await Writer.run(12, target: target, seed: StressSettings.seed) { ContinuousClock.now >= deadline }
            }
            group.addTask { try await self.disturb(relay, deliveries, admin, until: deadline) }
            try await group.waitForAll()
        }
    }

    /// The last messages have to arrive although no producer rings any more.
    private func settle(_ relay: RelayProcess, _ deliveries: URL, _ admin: LibPQConnection) async throws {
        do {
            try await until("everything is delivered") {
                try relay.ensureRunning()
                return try await self.pending(admin).count == 0
            }
        } catch {
            let pending = try await self.pending(admin)
            Issue.record("\(pending.count) messages are left; a relay sleeps: \(pending.isAsleep); \(relay.state)")
            throw error
        }
        let status = try await relay.stop()
        #expect(status == 0, "\(relay.state)")
    }

    private func check(_ relay: RelayProcess, _ deliveries: URL, _ admin: LibPQConnection) async throws {
        let committed = try await self.committed(admin)
        let counters = try await self.counters(admin)
        let (count, ids, outOfOrder, lastNumbers) = try await offThePool {
            let items = try DeliveryFile(deliveries).newItems()
            var order = KeyOrder()
            for item in items { order.note(item) }
            return (items.count, Set(items.map(\.id)), order.outOfOrder(), order.lastNumbers)
        }
        let repeated = count - committed.count
        let disturbances = relay.disturbances
        #expect(ids == committed, "nothing lost, nothing of a transaction that rolled back")
        #expect(repeated <= disturbances * self.window, "each kill repeats the uncommitted window at most")
        #expect(outOfOrder == [])
        #expect(lastNumbers == counters)
        #expect(disturbances > 0)
        print(
            "stress: \(committed.count) messages, \(disturbances) kills, \(repeated) repeated, seed \(StressSettings.seed)"
        )
    }

    /// How many messages no stored cursor has passed, and whether a relay holds the bell.
    private func pending(_ admin: LibPQConnection) async throws -> (count: Int, isAsleep: Bool) {
        let rows = try await admin.query(
            LibPQStatement(
                """
                SELECT
                    (SELECT count(*) FROM stress.message WHERE NOT EXISTS (
                        SELECT FROM stress.stream
                        WHERE message.id <= position AND pg_visible_in_snapshot(message.xid, snapshot))),
                    EXISTS (
                        SELECT FROM pg_locks
                        WHERE locktype = 'advisory' AND classid = 'stress.message'::regclass::oid AND objid = 0
                            AND mode = 'ExclusiveLock' AND granted)
                """))
        return (Int(try rows[0].decode(0, as: Int64.self)), try rows[0].decode(1, as: Bool.self))
    }

    private func committed(_ admin: LibPQConnection) async throws -> Set<Int64> {
        let rows = try await admin.query(LibPQStatement("SELECT id FROM stress.message"))
        return Set(try rows.map { row in try row.decode(0, as: Int64.self) })
    }

    private func counters(_ admin: LibPQConnection) async throws -> [String: Int] {
        let rows = try await admin.query(
            LibPQStatement("SELECT destination || ' ' || key, n FROM public.counter WHERE n > 0"))
        return Dictionary(
            uniqueKeysWithValues: try rows.map { row in
                (try row.decode(0, as: String.self), Int(try row.decode(1, as: Int64.self)))
            })
    }

    /// Kills the relay and its sessions over and over. Each kill waits for progress, so that none hits a relay that has done
    /// nothing.
    private func disturb(
        _ relay: RelayProcess, _ deliveries: URL, _ admin: LibPQConnection, until deadline: ContinuousClock.Instant
    ) async throws {
        repeat {
            let size = DeliveryFile.size(of: deliveries) + Int.random(in: 1...200_000)
            try await until("it delivers") {
                try relay.ensureRunning()
                return DeliveryFile.size(of: deliveries) >= size || ContinuousClock.now >= deadline
            }
            if Bool.random() {
                try await relay.kill()
                try relay.ensureRunning()
            } else {
                try await admin.execute(
                    script: """
                        SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'outbox relay%'
                        """)
                relay.noteDisturbance()
            }
        } while ContinuousClock.now < deadline
    }
}
