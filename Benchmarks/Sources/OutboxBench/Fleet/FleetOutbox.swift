import BenchmarkReferences
import Outbox
import OutboxPostgres

/// An outbox with a fleet of relays, each in a process of its own.
struct FleetOutbox: Sendable {
    let outbox: BenchOutbox
    let arrivals = FleetArrivals()
    let relays: [FleetRelay]
    let streams: Int

    /// What relays of a fleet do.
    struct Work: Sendable {
        var destinations = 1
        /// Of each destination.
        var streams = 8
        var concurrency = 8
        var pause = Interval(.zero)
    }

    /// Runs `body` beside relays that share the streams evenly, and ends them in good order.
    static func with<Result>(
        _ relays: Int, _ work: Work, on server: BenchServer, _ body: (FleetOutbox) async throws -> Result
    ) async throws -> Result {
        try await server.withOutbox { outbox in
            let fleet = try FleetOutbox(outbox, relays, work)
            return try await withCleanUp {
                try await fleet.settle()
                return try await body(fleet)
            } cleanUp: {
                for relay in fleet.relays { relay.stop() }
                for relay in fleet.relays { await relay.wait() }
            }
        }
    }

    private init(_ outbox: BenchOutbox, _ relays: Int, _ work: Work) throws {
        let arguments = [
            "--schema", outbox.schema.name, "--destinations",
            String(work.destinations), "--streams", String(work.streams), "--concurrency", String(work.concurrency),
            "--pause", work.pause.defaultValueDescription,
        ]
        self.outbox = outbox
        self.streams = work.streams * work.destinations
        let arrivals = self.arrivals
        self.relays = try (0..<relays).map { _ in try FleetRelay(arguments, on: outbox.server, arrivals: arrivals) }
    }

    /// Waits until each relay has its share.
    private func settle() async throws {
        let share = self.streams / self.relays.count
        try await self.wait("each relay has its streams") {
            let counts = try await self.owners().values
            return counts.count == self.relays.count && counts.allSatisfy { $0 == share }
        }
    }

    /// Waits until the relays that are left have all streams.
    func waitForOwners(_ count: Int) async throws {
        try await self.wait("all streams have owners") {
            let counts = try await self.owners()
            return counts.count == count && counts.values.reduce(0, +) == self.streams
        }
    }

    private func wait(_ what: String, _ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while try await !condition() {
            if ContinuousClock.now > deadline { throw BenchFailure("not within two minutes: \(what)") }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    private static let locks = """
        FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ExclusiveLock'
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND classid = '{{schema}}.message'::regclass::oid
        """

    /// How many streams each relay's session has.
    private func owners() async throws -> [Int32: Int] {
        let rows = try await self.outbox.query(
            "SELECT pid, count(*) \(Self.locks) AND objid::bigint BETWEEN 1 AND 2147483647 GROUP BY pid")
        return Dictionary(
            uniqueKeysWithValues: try rows.map { row in (try row.decode(0), Int(try row.decode(1, as: Int64.self))) })
    }

    /// The numbers of the destinations whose streams the keeper has, and of those that others have.
    func keepersAndOthers() async throws -> (keepers: [String], others: [String]) {
        let rows = try await self.outbox.query(
            """
            SELECT destination, pid = (SELECT pid \(Self.locks) AND objid::bigint = 4294967295)
            FROM (SELECT pid, objid::bigint AS number \(Self.locks)) AS held JOIN {{schema}}.stream ON stream.id = held.number
            ORDER BY destination
            """)
        var found: (keepers: [String], others: [String]) = ([], [])
        for row in rows {
            let (name, isKeepers) = (try row.decode(0, as: String.self), try row.decode(1, as: Bool?.self))
            if isKeepers == true { found.keepers.append(name) } else { found.others.append(name) }
        }
        return found
    }

    /// Commits messages at once, with many keys.
    func fill(_ messages: Int) async throws {
        try await self.outbox.execute(
            """
            INSERT INTO {{schema}}.message (destination, payload, key)
            SELECT 'fleet 1', 'x', 'key-' || i % 10000 FROM generate_series(1, \(messages)) AS i
            """)
    }

    /// Commits one message.
    func enqueue(to destination: Int) async throws {
        try await self.outbox.execute("SELECT {{schema}}.enqueue('fleet \(destination)', 'x'::text)")
    }

    /// The server process of the only relay's session.
    func serverProcess() async throws -> Int {
        guard let process = try await self.owners().keys.first else { throw BenchFailure("no relay has a stream") }
        return Int(process)
    }

    /// From the moment when COMMIT of single messages is sent to the handler, of messages for one destination.
    func latency(of destination: String, messages: Int, pause: Double) async throws -> LatencyBenchmark.Sample {
        let (commits, result) = await Reference.onThread {
            var times = [Double](repeating: .nan, count: messages)
            let result = unsafe times.withUnsafeMutableBufferPointer {
                unsafe reference_quiet_commits(
                    self.outbox.server.connectionString, self.outbox.log, destination, Int32(messages), pause,
                    $0.baseAddress)
            }
            return (times, result)
        }
        _ = try Reference.outcome("producer", result)
        let ids = try await self.outbox.server.connect()
        return try await withCleanUp {
            let rows = try await ids.query(
                LibPQStatement(
                    self.outbox.render("SELECT id FROM {{schema}}.message WHERE destination = '\(destination)'")))
            let numbers = Set(try rows.map { try $0.decode(0, as: Int64.self) })
            try await self.wait("all have arrived") { self.arrivals.times(of: numbers).count == messages }
            return LatencyBenchmark.Sample(zip(self.arrivals.times(of: numbers), commits).map { $0 - $1 })
        } cleanUp: {
            await ids.close()
        }
    }
}
