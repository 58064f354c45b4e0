import BenchmarkReferences
import Outbox
import OutboxPostgres
import Synchronization

/// What was seen of a soak at one moment, and since the one before.
struct SoakSample: Sendable {
    /// Since the beginning.
    var seconds: Double
    /// Whether a long transaction was open.
    var isPinned: Bool
    /// In all.
    var enqueued: Int
    var delivered: Int
    /// Since the sample before, a second.
    var throughput: Double
    /// Since the sample before, from INSERT to the handler, in milliseconds.
    var p50: Double
    var p99: Double
    /// Of this process, in bytes.
    var memory: Int
    var tables: [Table]

    /// A table of the outbox; of a partitioned one, all its partitions.
    struct Table: Sendable {
        var name: String
        var bytes: Int
        var indexBytes: Int
        var deadRows: Int
    }

    /// In a line.
    var line: String {
        """
        \(Int(self.seconds)) s: \(Figure.text(self.throughput)) messages/s, p50 \(Figure.text(self.p50)) ms, \
        p99 \(Figure.text(self.p99)) ms, \(Figure.text(Double(self.memory) / 1e6)) MB, dead rows \
        \(self.tables.reduce(0) { $0 + $1.deadRows })\(self.isPinned ? ", pinned" : "")
        """
    }
}

/// Takes samples, each with what has become since the one before.
struct SoakSampler: ~Copyable {
    private let outbox: BenchOutbox
    private let began: ContinuousClock.Instant
    private var last: (seconds: Double, delivered: Int) = (0, 0)

    init(outbox: BenchOutbox, began: ContinuousClock.Instant) {
        self.outbox = outbox
        self.began = began
    }

    mutating func sample(_ delivered: Int, _ latencies: [Double], isPinned: Bool) async throws -> SoakSample {
        let seconds = (ContinuousClock.now - self.began).inSeconds
        defer { self.last = (seconds, delivered) }
        return SoakSample(
            seconds: seconds, isPinned: isPinned,
            enqueued: try await self.outbox.count(
                "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('{{schema}}.message', 'id')), 0)"),
            delivered: delivered,
            throughput: Double(delivered - self.last.delivered) / (seconds - self.last.seconds),
            p50: latencies.percentile(0.5), p99: latencies.percentile(0.99), memory: Int(reference_resident_bytes()),
            tables: try await self.tables())
    }

    private func tables() async throws -> [SoakSample.Table] {
        let rows = try await self.outbox.query(
            """
            SELECT CASE WHEN relname ~ '^message_[0-9]$' THEN 'message' ELSE relname END,
                sum(pg_table_size(relid))::bigint, sum(pg_indexes_size(relid))::bigint, sum(n_dead_tup)::bigint
            FROM pg_stat_user_tables
            WHERE schemaname = '\(self.outbox.schema.name)' AND relname <> 'migration'
            GROUP BY 1
            ORDER BY 1
            """)
        return try rows.map { row in
            SoakSample.Table(
                name: try row.decode(0), bytes: Int(try row.decode(1, as: Int64.self)),
                indexBytes: Int(try row.decode(2, as: Int64.self)), deadRows: Int(try row.decode(3, as: Int64.self)))
        }
    }
}

/// How long messages have taken, in milliseconds, since it was last asked.
final class SoakLatencies: Sendable {
    private let values = Mutex<[Double]>([])

    /// A message whose payload begins with when it was sent.
    func add(_ message: Message) {
        let now = reference_now()
        let sent = message.payload.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        self.values.withLock { $0.append((now - Double(sent) / 1e9) * 1000) }
    }

    func take() -> [Double] {
        self.values.withLock { values in
            defer { values.removeAll(keepingCapacity: true) }
            return values
        }
    }
}

/// The long transaction of a soak.
final class SoakPin: Sendable {
    private let delay: Duration
    private let duration: Duration
    private let state = Atomic(false)

    init(after delay: Duration, for duration: Duration) {
        self.delay = delay
        self.duration = duration
    }

    var isOn: Bool { self.state.load(ordering: .relaxed) }

    func run(on server: BenchServer) async throws {
        try await Task.sleep(for: self.delay)
        try await Pin.with(server) {
            self.state.store(true, ordering: .relaxed)
            try? await Task.sleep(for: self.duration)
            self.state.store(false, ordering: .relaxed)
        }
    }
}
