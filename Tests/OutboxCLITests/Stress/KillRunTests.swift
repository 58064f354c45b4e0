import Foundation
import OutboxPostgres
import OutboxTestServers
import TestSupport
import Testing

/// A relay that is killed over and over: by the test at random moments, and by messages whose command kills it.
///
/// Short in every run; as long as `OUTBOX_STRESS_SECONDS` says.
@Suite(.timeLimit(.minutes(StressSettings.minutes(atLeast: 10)))) struct KillRunTests {
    private let seconds = StressSettings.seconds(otherwise: 8)
    private let window = 100
    private static let keys = 10

    @Test func whatKillsTheProcessIsDeadAndNothingElseIsLost() async throws {
        let server = try await EphemeralPostgres.start()
        let outbox = TestOutbox(schema: "kills", url: server.url)
        try await outbox("migrate", "up")
        try await withTemporaryFolder { folder in
            let admin = try await LibPQConnection.connect(LibPQConfiguration(server.url))
            try await admin.execute(
                script: """
                    CREATE TABLE counter (key text PRIMARY KEY, n bigint NOT NULL DEFAULT 0);
                    INSERT INTO counter (key) SELECT 'k' || i FROM generate_series(1, \(Self.keys)) AS i;
                    """)
            let file = folder + "/delivered"
            // The command is a child of the relay.
            let command = """
                payload=$(cat)
                case $payload in poison) kill -s KILL $PPID; exit;; slow) sleep 1;; esac
                echo "$OUTBOX_ID $OUTBOX_KEY $payload" >>'\(file)'
                """
            try await RelayProcess.with(
                [
                    "relay", "--postgres", server.url, "--schema", "kills", "--window", "\(self.window)", "--page",
                    "20", "--park-after", "200ms", "--initial-delay", "10ms", "--route", "d=exec:\(command)",
                    "--concurrency", "8", "--log-level", "critical",
                ]
            ) { relay in
                try await self.writeAndKill(server.url, relay, file)
                try await until("everything is delivered or dead") {
                    try relay.ensureRunning()
                    return try await self.left(admin) == 0
                }
                #expect(try await relay.stop() == 0)
                try await self.check(admin, try String(contentsOfFile: file, encoding: .utf8), relay)
            }
        }
        await server.stop()
    }

    private func writeAndKill(_ url: String, _ relay: RelayProcess, _ file: String) async throws {
        let writers = try await LibPQConnection.connect(LibPQConfiguration(url))
        let deadline = ContinuousClock.now + .seconds(self.seconds)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.write(writers, relay, until: deadline) }
            group.addTask { try await self.kill(relay, file, until: deadline) }
            try await group.waitForAll()
        }
    }

    /// Messages in the order of their keys' counters, slow ones, and some that kill, at the beginning and now and then.
    ///
    /// As many as are delivered, and a few more: a relay that is killed all the time does not get far, and whatever waits at
    /// the end has to be delivered too.
    private func write(_ connection: LibPQConnection, _ relay: RelayProcess, until deadline: ContinuousClock.Instant)
        async throws
    {
        var round = 0
        // However slow this machine is, one that kills is among them.
        while ContinuousClock.now < deadline || round <= 20 {
            if round.isMultiple(of: 10) {
                try await until("it has caught up") {
                    // A message that kills the relay may come when the task that restarts it has ended.
                    try relay.ensureRunning()
                    return try await self.left(connection) < 2 * self.window
                }
            }
            let key = "k\(Int.random(in: 1...Self.keys))"
            try await connection.execute(
                script: """
                    BEGIN;
                    WITH next AS (UPDATE counter SET n = n + 1 WHERE key = '\(key)' RETURNING n)
                    SELECT kills.enqueue('d', n::text, key => '\(key)') FROM next;
                    INSERT INTO kills.message (destination, payload) SELECT 'd', 'plain' FROM generate_series(1, 3);
                    \(round % 7 == 6 ? "ROLLBACK" : "COMMIT");
                    """)
            if round % 200 == 20 {
                try await connection.execute(
                    script: """
                        SELECT kills.enqueue('d', 'poison', key => '\(key)', options => '{"max_attempts": 2}')
                        """)
            }
            if round % 20 == 0 {
                // A process that ends while a slow command runs is an attempt, and here it may end any number of times.
                try await connection.execute(
                    script: """
                        SELECT kills.enqueue('d', 'slow', key => '\(key)', options => '{"max_attempts": 1000000}')
                        """)
            }
            round += 1
        }
    }

    /// Each kill waits for progress, so that none hits a relay that has done nothing, and then for nothing.
    private func kill(_ relay: RelayProcess, _ file: String, until deadline: ContinuousClock.Instant) async throws {
        repeat {
            let size = self.size(file) + Int.random(in: 1...200)
            try await until("it delivers") {
                // One of those that kill may be faster, over and over.
                try relay.ensureRunning()
                // Afterwards there may be nothing more to deliver.
                return self.size(file) >= size || ContinuousClock.now >= deadline
            }
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...100)))
            try await relay.kill()
            try relay.ensureRunning()
        } while ContinuousClock.now < deadline
    }

    private func size(_ file: String) -> Int {
        (try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int) ?? 0
    }

    private func left(_ admin: LibPQConnection) async throws -> Int {
        let rows = try await admin.query(
            LibPQStatement(
                """
                SELECT (SELECT count(*) FROM kills.deferred) + (
                    SELECT count(*) FROM kills.message WHERE NOT EXISTS (
                        SELECT FROM kills.stream
                        WHERE message.id <= position AND pg_visible_in_snapshot(message.xid, snapshot)))
                """))
        return Int(try rows[0].decode(0, as: Int64.self))
    }

    private func check(_ admin: LibPQConnection, _ delivered: String, _ relay: RelayProcess) async throws {
        let messages = try await admin.query(
            LibPQStatement("SELECT id, convert_from(payload, 'UTF8') FROM kills.message ORDER BY id"))
        let payloads = Dictionary(
            uniqueKeysWithValues: try messages.map { row in
                (try row.decode(0, as: Int64.self), try row.decode(1, as: String.self))
            })
        let poisons = Set(payloads.filter { $0.value == "poison" }.keys)
        let dead = try await admin.query(
            LibPQStatement("SELECT id, reason, attempts, last_error FROM kills.dead_letter ORDER BY id"))
        let deaths = try dead.map { row in
            "\(try row.decode(0, as: Int64.self)) \(try row.decode(1, as: String.self)) \(try row.decode(2, as: Int32.self))"
        }
        #expect(deaths == poisons.sorted().map { "\($0) crashed 2" }, "those that kill are dead, and no others")

        let lines = try await offThePool {
            delivered.split(separator: "\n").map { $0.split(separator: " ", omittingEmptySubsequences: false) }
        }
        let ids = lines.compactMap { $0.first.flatMap { Int64($0) } }
        #expect(
            Set(ids) == Set(payloads.keys).subtracting(poisons),
            "nothing lost, nothing of a transaction that rolled back")
        var next: [Substring: Int] = [:]
        for line in lines where line.count == 3 {
            guard let n = Int(line[2]) else { continue }
            #expect(n <= next[line[1]] ?? 1, "\(line[1]): \(n) before \(next[line[1]] ?? 1)")
            next[line[1]] = max(next[line[1]] ?? 1, n + 1)
        }
        #expect(!poisons.isEmpty && relay.disturbances > 0)
        print(
            "kill run: \(payloads.count) messages, \(relay.disturbances) kills, \(poisons.count) that kill, \(ids.count - Set(ids).count) repeated"
        )
    }
}
