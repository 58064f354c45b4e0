import OutboxPostgres
import TestSupport
import Testing

/// One producer: transactions of every kind.
///
/// A payload is "TAG" or "TAG NUMBER": a tag that no other message has, and for messages with a key the key's next number,
/// drawn under the lock of the key's row, so that numbers of a key are committed in their order. A third word says that the
/// handler refuses the message.
final class Writer {
    /// Where writers write, and what.
    struct Target: Sendable {
        let url: String
        let schema: String
        /// The destinations, and which of their messages are refused by the handler: those need one that does.
        let destinations: [String]
        var refusing: Set<String> = []
        /// The most messages of one statement, for destinations that take few.
        var bulk: [String: Int] = [:]
        var kinds = Kind.plain
        var keys = 20
        /// Whether writers connect again when the server goes away; what they were doing is as good as rolled back.
        var outlivesServers = false
    }

    enum Kind: CaseIterable, Sendable {
        case uncounted, counted, rolledBackSavepoint, releasedSavepoint, bulk, silentSavepoint
        case prepared, scheduled, refused, long

        /// Those that every outbox and every handler can take.
        static let plain: [Kind] = [
            .uncounted, .counted, .rolledBackSavepoint, .releasedSavepoint, .bulk, .silentSavepoint,
        ]
    }

    private var connection: LibPQConnection
    private let target: Target
    private let number: UInt64
    private var random: SeededGenerator
    private var prepared = 0

    private init(connection: LibPQConnection, target: Target, number: UInt64, seed: UInt64) {
        self.connection = connection
        self.target = target
        self.number = number
        self.random = SeededGenerator(seed: seed &* 1000 &+ number)
    }

    /// The counters of the keys, and where tags come from.
    static func setUp(_ target: Target) -> String {
        """
        CREATE TABLE public.counter (destination text, key text, n bigint NOT NULL DEFAULT 0, PRIMARY KEY (destination, key));
        INSERT INTO public.counter (destination, key)
        SELECT destination, 'k' || i
        FROM unnest(ARRAY[\(target.destinations.map { "'\($0)'" }.joined(separator: ", "))]) AS destination,
            generate_series(1, \(target.keys)) AS i;
        CREATE SEQUENCE public.tag;
        """
    }

    /// Runs some producers side by side, until `isOver`.
    ///
    /// - Parameter gate: Called before each transaction: writers wait in it while nothing is to be written.
    static func run(
        _ count: Int, target: Target, seed: UInt64, gate: TrafficGate = TrafficGate(),
        until isOver: @escaping @Sendable () -> Bool
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count {
                group.addTask {
                    let connection = try await LibPQConnection.connect(LibPQConfiguration(target.url))
                    let writer = Writer(connection: connection, target: target, number: UInt64(number), seed: seed)
                    while !isOver() {
                        try await gate.pass { try await writer.write() }
                    }
                    await writer.connection.close()
                }
            }
            try await group.waitForAll()
        }
    }

    private func write() async throws {
        let kind = self.target.kinds.randomElement(using: &self.random) ?? .uncounted
        let destination = self.target.destinations.randomElement(using: &self.random) ?? ""
        let end = self.random.chance(1, in: 5) ? "ROLLBACK" : "COMMIT"
        // Long enough that others pass it many times.
        let pause = self.random.chance(1, in: 8) ? self.sleep(0.5) : ""
        let plain = self.enqueue(destination)
        var script: [String] = ["BEGIN"]
        switch kind {
        case .uncounted:
            script += [plain, pause]
        case .counted:
            script += [self.counted(destination), pause]
        case .rolledBackSavepoint:
            script += [self.counted(destination), "SAVEPOINT s", plain, "ROLLBACK TO s", plain, pause]
        case .releasedSavepoint:
            script += ["SAVEPOINT s", self.counted(destination), "RELEASE s", "SAVEPOINT t", plain, pause]
            script.append(self.random.chance(1, in: 2) ? "ROLLBACK TO t" : "RELEASE t")
        case .bulk:
            script += [self.bulk(destination), pause]
        case .silentSavepoint:
            // Rolled back to before the transaction had the bell.
            script += ["SAVEPOINT s", plain, "ROLLBACK TO s", pause, self.counted(destination)]
        case .prepared:
            return try await self.prepare([self.counted(destination), plain], commits: end == "COMMIT")
        case .scheduled:
            // A whole number: Postgres takes no exponent, in which Swift writes a small one.
            let delay = Int.random(in: 0...1_000_000, using: &self.random)
            script += [self.enqueue(destination, ", deliver_at => now() + interval '\(delay) us'"), pause]
        case .refused:
            guard let destination = self.target.refusing.sorted().randomElement(using: &self.random) else { return }
            let word = self.random.chance(1, in: 2) ? "reject" : "fail"
            script += [self.counted(destination, " \(word)", options: "{\"max_attempts\": 3}"), pause]
        case .long:
            script += [plain, self.counted(destination), self.sleep(3), plain]
        }
        try await self.execute((script + [end]).joined(separator: ";"))
    }

    /// In two phases. Such a transaction cannot NOTIFY, so it does not ring at all.
    private func prepare(_ statements: [String], commits: Bool) async throws {
        self.prepared += 1
        let name = "'w\(self.number)-\(self.prepared)'"
        try await self.execute(
            (["BEGIN", "SET LOCAL outbox.doorbell = 'off'"] + statements + ["PREPARE TRANSACTION \(name)"])
                .joined(separator: ";"))
        // The server knows what came of it, and keeps what is prepared when it crashes.
        var isOver = false
        while !isOver {
            try await self.outliving {
                try await self.connection.execute(script: self.sleep(0.3))
                let found = try await self.connection.query(
                    LibPQStatement("SELECT FROM pg_prepared_xacts WHERE gid = \(name)", []))
                if found.rowCount > 0 {
                    try await self.connection.execute(script: "\(commits ? "COMMIT" : "ROLLBACK") PREPARED \(name)")
                }
                isOver = true
            }
        }
    }

    /// Runs `body`; if the server goes away in it, connects again.
    private func outliving(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as LibPQError where error.isRetriable && self.target.outlivesServers {
            await self.connection.close()
            try await until("a writer connects again") {
                guard let again = try? await LibPQConnection.connect(LibPQConfiguration(self.target.url)) else {
                    return false
                }
                self.connection = again
                return true
            }
        }
    }

    /// Runs a transaction; one that is the victim of a deadlock is as good as rolled back.
    private func execute(_ script: String) async throws {
        try await self.outliving {
            do throws(LibPQError) {
                try await self.connection.execute(script: script)
            } catch {
                if error.sqlState != "40P01" { throw error }
                try await self.connection.execute(script: "ROLLBACK")
            }
        }
    }

    private func sleep(_ longest: Double) -> String {
        "SELECT pg_sleep(\(Double.random(in: 0...longest, using: &self.random)))"
    }

    private func enqueue(_ destination: String, _ arguments: String = "") -> String {
        "SELECT \(self.target.schema).enqueue('\(destination)', nextval('public.tag')::text\(arguments))"
    }

    private func bulk(_ destination: String) -> String {
        let count = Int.random(in: 1...(self.target.bulk[destination] ?? 1500), using: &self.random)
        return """
            INSERT INTO \(self.target.schema).message (destination, payload)
            SELECT '\(destination)', nextval('public.tag')::text::bytea FROM generate_series(1, \(count))
            """
    }

    /// The key's next number, under the lock of its row.
    private func counted(_ destination: String, _ word: String = "", options: String? = nil) -> String {
        let key = "k\(Int.random(in: 1...self.target.keys, using: &self.random))"
        return """
            WITH next AS (
                UPDATE public.counter SET n = n + 1 WHERE destination = '\(destination)' AND key = '\(key)' RETURNING n
            )
            SELECT \(self.target.schema).enqueue(
                '\(destination)', nextval('public.tag') || ' ' || n || '\(word)', key => '\(key)',
                options => \(options.map { "'\($0)'" } ?? "NULL")
            )
            FROM next
            """
    }
}
