import Foundation
import OutboxPostgres
import OutboxTesting
import Synchronization
import Testing

/// Writers of every kind against a relay that is killed over and over, and that has nothing but NOTIFY to wake it.
///
/// Short in every run; as long as `OUTBOX_STRESS_SECONDS` says.
@Suite struct StressTests {
    private let seconds = ProcessInfo.processInfo.environment["OUTBOX_STRESS_SECONDS"].flatMap(Int.init) ?? 8
    private let window = 500

    @Test func nothingIsLostAndKeysStayInOrder() async throws {
        let server = try await EphemeralPostgres.start(.init(parameters: ["max_connections": "100"]))
        let outbox = TestOutbox(schema: "stress", url: server.url)
        try await outbox("migrate", "up")
        let deliveries = DeliveryFile(
            FileManager.default.temporaryDirectory.appendingPathComponent("outbox-stress-\(UUID()).ndjson"))
        let admin = try await Connection.connect(ConnectionConfiguration(server.url))
        try await admin.execute(script: Writer.setUp)
        try await RelayProcess.with(
            [
                "relay", "--postgres", server.url, "--schema", "stress", "--no-fallback-poll",
                "--window", "\(self.window)", "--page", "100", "--route", "d=file:\(deliveries.url.path)",
                "--log-level", "critical",
            ]
        ) { relay in
            try await self.writeAndDisturb(server.url, relay, deliveries, admin)
            try await self.settle(relay, deliveries, admin)
            try await self.check(relay, deliveries, admin)
        }
        deliveries.remove()
        await server.stop()
    }

    private func writeAndDisturb(
        _ url: String, _ relay: RelayProcess, _ deliveries: DeliveryFile, _ admin: Connection
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(self.seconds)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await Writer.run(12, url: url, until: deadline) }
            group.addTask { try await self.disturb(relay, deliveries, admin, until: deadline) }
            try await group.waitForAll()
        }
    }

    /// The last messages have to arrive with nobody to ring any more.
    private func settle(_ relay: RelayProcess, _ deliveries: DeliveryFile, _ admin: Connection) async throws {
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
        #expect(try await relay.stop() == 0)
    }

    private func check(_ relay: RelayProcess, _ deliveries: DeliveryFile, _ admin: Connection) async throws {
        let committed = try await self.committed(admin)
        let counters = try await self.counters(admin)
        let (count, ids, outOfOrder, lastNumbers) = try await offThePool {
            let items = try deliveries.items()
            return (items.count, Set(items.map(\.id)), items.outOfOrder, items.lastNumbers)
        }
        let repeated = count - committed.count
        let disturbances = relay.disturbances
        #expect(ids == committed, "nothing lost, nothing of a transaction that rolled back")
        #expect(repeated <= disturbances * self.window, "each kill repeats the uncommitted window at most")
        #expect(outOfOrder == [])
        #expect(lastNumbers == counters)
        #expect(disturbances > 0)
        print("stress: \(committed.count) messages, \(disturbances) kills, \(repeated) repeated")
    }

    /// How many messages no stored cursor has passed, and whether a relay holds the bell.
    private func pending(_ admin: Connection) async throws -> (count: Int, isAsleep: Bool) {
        let rows = try await admin.query(
            SQLStatement(
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

    private func committed(_ admin: Connection) async throws -> Set<Int64> {
        let rows = try await admin.query(SQLStatement("SELECT id FROM stress.message"))
        return Set(try rows.map { row in try row.decode(0, as: Int64.self) })
    }

    private func counters(_ admin: Connection) async throws -> [String: Int] {
        let rows = try await admin.query(SQLStatement("SELECT key, n FROM counter WHERE n > 0"))
        return Dictionary(
            uniqueKeysWithValues: try rows.map { row in
                (try row.decode(0, as: String.self), Int(try row.decode(1, as: Int64.self)))
            })
    }

    /// Kills the relay and its sessions over and over. Each kill waits for progress, so that none hits a relay that has done
    /// nothing.
    private func disturb(
        _ relay: RelayProcess, _ deliveries: DeliveryFile, _ admin: Connection, until deadline: ContinuousClock.Instant
    ) async throws {
        repeat {
            let size = deliveries.size + Int.random(in: 1...200_000)
            try await until("it delivers") {
                try relay.ensureRunning()
                return deliveries.size >= size || ContinuousClock.now >= deadline
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

/// What the relay has written, line by line.
private struct DeliveryFile: Sendable {
    struct Item {
        let id: Int64
        let key: String?
        let n: Int
    }

    let url: URL

    init(_ url: URL) {
        self.url = url
    }

    func remove() { try? FileManager.default.removeItem(at: self.url) }

    var size: Int {
        (try? FileManager.default.attributesOfItem(atPath: self.url.path)[.size] as? Int) ?? 0
    }

    /// The lines that are complete. A relay that is killed while it writes leaves half a line, to which the next one
    /// appends.
    func items() throws -> [Item] {
        guard let data = FileManager.default.contents(atPath: self.url.path) else { return [] }
        return data.split(separator: UInt8(ascii: "\n")).compactMap { line -> Item? in
            let text = String(decoding: line, as: UTF8.self)
            guard let start = text.range(of: #"{"id":"#, options: .backwards) else { return nil }
            let object = try? JSONSerialization.jsonObject(with: Data(text[start.lowerBound...].utf8)) as? [String: Any]
            guard let object, let id = object["id"] as? NSNumber, let payload = object["payload"] as? String else { return nil }
            return Item(id: id.int64Value, key: object["key"] as? String, n: Int(payload) ?? 0)
        }
    }
}

extension [DeliveryFile.Item] {
    /// By key, the counter under the row lock: 1, 2, 3 …, going back only to repeat. What is not so.
    fileprivate var outOfOrder: [String] {
        var next: [String: Int] = [:]
        var findings: [String] = []
        for item in self {
            guard let key = item.key else { continue }
            let expected = next[key] ?? 1
            if item.n > expected { findings.append("\(key): \(item.n) before \(expected)") }
            next[key] = Swift.max(expected, item.n + 1)
        }
        return findings
    }

    fileprivate var lastNumbers: [String: Int] {
        var last: [String: Int] = [:]
        for item in self {
            if let key = item.key { last[key] = Swift.max(last[key] ?? 0, item.n) }
        }
        return last
    }
}

/// One producer: transactions of every kind.
private final class Writer {
    static let keys = 20
    static let setUp = """
        CREATE TABLE counter (key text PRIMARY KEY, n bigint NOT NULL DEFAULT 0);
        INSERT INTO counter (key) SELECT 'k' || i FROM generate_series(1, \(Writer.keys)) AS i;
        """
    let connection: Connection
    var random: Generator

    init(connection: Connection, seed: UInt64) {
        self.connection = connection
        self.random = Generator(state: seed &* 0x9e37_79b9_7f4a_7c15 | 1)
    }

    /// Runs some producers side by side.
    static func run(_ count: Int, url: String, until deadline: ContinuousClock.Instant) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count {
                group.addTask {
                    let connection = try await Connection.connect(ConnectionConfiguration(url))
                    let writer = Writer(connection: connection, seed: UInt64(number))
                    while ContinuousClock.now < deadline { try await writer.write() }
                }
            }
            try await group.waitForAll()
        }
    }

    private func write() async throws {
        let end = self.chance(1, in: 5) ? "ROLLBACK" : "COMMIT"
        // Long enough that others pass it many times.
        let pause = self.chance(1, in: 8) ? "SELECT pg_sleep(\(Double.random(in: 0...0.5, using: &self.random)))" : ""
        var script: [String] = ["BEGIN"]
        switch Int.random(in: 0..<6, using: &self.random) {
        case 0:
            script += [Self.plain, pause]
        case 1:
            script += [self.counted(), pause]
        case 2:
            script += [self.counted(), "SAVEPOINT s", Self.plain, "ROLLBACK TO s", Self.plain, pause]
        case 3:
            script += ["SAVEPOINT s", self.counted(), "RELEASE s", "SAVEPOINT t", Self.plain, pause]
            script.append(self.chance(1, in: 2) ? "ROLLBACK TO t" : "RELEASE t")
        case 4:
            let count = Int.random(in: 1...1500, using: &self.random)
            script.append(
                """
                INSERT INTO stress.message (destination, payload)
                SELECT 'd', 'bulk'::bytea FROM generate_series(1, \(count))
                """)
            script.append(pause)
        default:
            // Rolled back to before the transaction had the bell.
            script += ["SAVEPOINT s", Self.plain, "ROLLBACK TO s", pause, self.counted()]
        }
        script.append(end)
        try await self.execute(script.joined(separator: ";"))
    }

    /// Runs a transaction; one that is the victim of a deadlock is as good as rolled back.
    private func execute(_ script: String) async throws {
        do throws(PostgresError) {
            try await self.connection.execute(script: script)
        } catch {
            if error.sqlState != "40P01" { throw error }
            try await self.connection.execute(script: "ROLLBACK")
        }
    }

    private static let plain = "SELECT stress.enqueue('d', 'plain')"

    /// The key's next number, under the lock of its row.
    private func counted() -> String {
        let key = "k\(Int.random(in: 1...Self.keys, using: &self.random))"
        return """
            WITH next AS (UPDATE counter SET n = n + 1 WHERE key = '\(key)' RETURNING n)
            SELECT stress.enqueue('d', n::text, key => '\(key)') FROM next
            """
    }

    private func chance(_ count: Int, in total: Int) -> Bool {
        Int.random(in: 0..<total, using: &self.random) < count
    }

    /// Xorshift (Marsaglia, "Xorshift RNGs", 2003): reproducible choices.
    struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            self.state ^= self.state << 13
            self.state ^= self.state >> 7
            self.state ^= self.state << 17
            return self.state
        }
    }
}
