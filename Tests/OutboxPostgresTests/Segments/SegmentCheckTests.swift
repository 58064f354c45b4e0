import OutboxPostgres
import Testing

/// The check before a segment is emptied, against what it means.
@Suite(.schema, .timeLimit(.minutes(10))) struct SegmentCheckTests {
    /// Streams with cursors stored at any moment, over transactions that commit in any order or never, in any segment.
    @Test(arguments: 1...20) func saysWhatItMeans(seed: UInt64) async throws {
        let bench = try await RelayBench.make()
        var random = SeededGenerator(seed: seed)
        var open: [LibPQConnection] = []
        var idle: [LibPQConnection] = []
        for _ in 1...4 { idle.append(try await LibPQConnection.connect(bench.postgres)) }
        var passed = 0
        var unread = 0
        for _ in 1...60 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0...2:
                guard let connection = idle.popLast() else { break }
                try await connection.execute(script: "BEGIN")
                open.append(connection)
                fallthrough
            case 3...5:
                guard let connection = open.randomElement(using: &random) else { break }
                let segment = Int.random(in: 0..<3, using: &random)
                let destination = ["a", "b"].randomElement(using: &random) ?? "a"
                try await connection.execute(
                    script: bench.render(
                        """
                        INSERT INTO $outbox.message (destination, payload, segment)
                        SELECT '\(destination)', '', \(segment) FROM generate_series(1, 3)
                        """))
            case 6...7:
                guard let index = open.indices.randomElement(using: &random) else { break }
                let connection = open.remove(at: index)
                try await connection.execute(script: Bool.random(using: &random) ? "COMMIT" : "ROLLBACK")
                idle.append(connection)
            default:
                // A cursor is stored as a relay does: what is visible has been handled, up to the highest id of it; now and
                // then in the middle of a late part.
                let isCatchingUp = Bool.random(using: &random)
                let subscription = ["main", "other"].randomElement(using: &random) ?? "main"
                try await bench.sql("SET outbox.relay = 'on'")
                try await bench.sql(
                    """
                    INSERT INTO $outbox.stream (subscription, destination, snapshot, position, horizon)
                    SELECT '\(subscription)', destination, pg_current_snapshot(),
                        coalesce((SELECT max(id) FROM $outbox.message), 0), pg_current_xact_id()
                    FROM (VALUES ('a'), ('b')) AS d (destination)
                    ON CONFLICT (subscription, destination, slot_low) DO UPDATE SET
                        \(isCatchingUp
                            ? "catchup_snapshot = excluded.snapshot, catchup_position = stream.position / 2"
                            : """
                                snapshot = excluded.snapshot, position = excluded.position, horizon = excluded.horizon,
                                catchup_snapshot = NULL, catchup_position = NULL
                                """)
                    """)
            }
            for segment in 0..<3 {
                let expected = try await bench.isPassed(segment)
                let actual: Bool = try await bench.sql(
                    "SELECT $outbox.segment_is_passed(\(segment)::smallint)")[0].decode(0)
                #expect(actual == expected, "seed \(seed), segment \(segment)")
                if actual { passed += 1 } else { unread += 1 }
            }
        }
        #expect(passed > 0 && unread > 0)
    }

    /// Whatever the planner knows: a few tuples for each destination, of one partition, by index.
    @Test(arguments: ["never analysed", "analysed empty", "full", "full with the statistics of empty"])
    func looksAtFewMessages(state: String) async throws {
        let bench = try await RelayBench.make()
        if state != "never analysed" { try await bench.sql("ANALYZE $outbox.message") }
        if state.hasPrefix("full") {
            try await bench.sql(
                """
                INSERT INTO $outbox.message (destination, payload, key, segment)
                SELECT 'd' || i % 3, '', 'k' || i % 100, i % 2 FROM generate_series(1, 40000) AS i
                """)
            if state == "full" { try await bench.script("VACUUM ANALYZE $outbox.message") }
        }
        // One stream has stood still ever since, the others are at the end.
        try await bench.sql(
            """
            INSERT INTO $outbox.stream (destination, snapshot, position, horizon)
            SELECT 'd' || i, pg_current_snapshot(), 40000, pg_current_xact_id() FROM generate_series(0, 2) AS i
            """)
        try await bench.sql(
            """
            INSERT INTO $outbox.message (destination, payload, segment)
            SELECT 'd0', '', 0 FROM generate_series(1, 20000) AS i
            """)
        try await bench.sql(
            """
            UPDATE $outbox.stream SET position = $outbox.last_id(), snapshot = pg_current_snapshot(), horizon = pg_current_xact_id()
            WHERE destination = 'd0'
            """)
        try await bench.script("BEGIN")
        // What this session has done before may not have been reported yet, and counts here too.
        let count = """
            SELECT relname, seq_scan, coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_all_tables
            WHERE relid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = '$outbox.message'::regclass)
            ORDER BY relname
            """
        let before = try await bench.sql(count)
        #expect(try await bench.sql("SELECT $outbox.segment_is_passed(0::smallint)")[0].decode(0, as: Bool.self))
        let counts = try await bench.sql(count)
        let locked = try await bench.count(
            """
            SELECT count(*) FROM pg_locks
            WHERE pid = pg_backend_pid()
                AND relation IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = '$outbox.message'::regclass)
            """)
        try await bench.script("COMMIT")
        #expect(locked == 1, "no other partition is locked")
        for (row, earlier) in zip(counts, before) {
            let fetched = try row.decode(2, as: Int64.self) - earlier.decode(2, as: Int64.self)
            let scans = try row.decode(1, as: Int64.self) - earlier.decode(1, as: Int64.self)
            #expect(scans == 0)
            #expect(fetched <= (try row.decode(0, as: String.self) == "message_0" ? 40 : 0), "\(fetched)")
        }
    }
}

extension RelayBench {
    /// Whether every message of a segment that is visible has been handled, one by one.
    fileprivate func isPassed(_ segment: Int) async throws -> Bool {
        try await self.count(
            """
            SELECT count(*) FROM $outbox.message
            WHERE segment = \(segment) AND (
                NOT EXISTS (SELECT FROM $outbox.stream WHERE stream.destination = message.destination)
                OR EXISTS (
                    SELECT FROM $outbox.stream
                    WHERE stream.destination = message.destination
                        AND NOT (message.id <= stream.position AND pg_visible_in_snapshot(message.xid, stream.snapshot))
                        AND NOT coalesce(
                            message.id <= stream.catchup_position
                            AND pg_visible_in_snapshot(message.xid, stream.catchup_snapshot), false)))
            """) == 0
    }
}

/// SplitMix64: the same numbers for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
