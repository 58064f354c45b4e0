import Outbox
import OutboxPostgres

/// What an outbox has many of.
enum ScaleDimension: String, CaseIterable, Sendable {
    /// Each with a stream of its own, all of them delivered by one relay.
    case destinations
    /// Of one destination, each of a subscription of its own.
    case streams
    /// Each with a message that is due, and nine behind it.
    case keys
    /// That are not due.
    case deferred
    /// That have been delivered and are still in the log.
    case messages

    /// What is measured of an outbox that has many of them.
    var measures: [ScaleMeasure] {
        switch self {
        case .destinations: [.start, .quietMessage, .serverTime, .burst, .janitor, .status]
        case .streams: [.start, .quietMessage, .serverTime, .janitor, .status]
        case .keys: [.dueQueues]
        case .deferred: [.start, .quietMessage, .status]
        case .messages: [.start, .quietMessage, .janitor, .status]
        }
    }

    /// What they are called in a table.
    var name: String {
        switch self {
        case .destinations, .streams, .keys: self.rawValue
        case .deferred: "messages deferred"
        case .messages: "messages in the log"
        }
    }
}

/// An operation whose time may depend on how many of something there are.
enum ScaleMeasure: String, CaseIterable, Sendable {
    case start = "a relay's start"
    case quietMessage = "a quiet message"
    case serverTime = "the server for a quiet message"
    case burst = "a commit of 10,000"
    case janitor = "the janitor's look"
    case dueQueues = "queues that are due"
    case status = "the status"
}

/// An outbox that has so many of something.
struct ScaledOutbox: Sendable {
    let dimension: ScaleDimension
    let size: Int
    let outbox: BenchOutbox

    /// The destinations that a relay delivers; the first is that of single messages.
    private var destinations: [String] {
        (1...(self.dimension == .destinations ? self.size : 1)).map { "d\($0)" }
    }

    /// Fills an outbox that is empty.
    func fill() async throws {
        Harness.say("\(self.size.grouped) \(self.dimension.name) are made")
        switch self.dimension {
        case .destinations:
            try await self.execute(
                """
                INSERT INTO {{schema}}.message (destination, payload)
                SELECT 'd' || i, 'x' FROM generate_series(1, \(self.size)) AS i
                """)
        case .streams:
            try await self.execute(
                """
                SELECT {{schema}}.enqueue('d1', 'x'::text);
                INSERT INTO {{schema}}.stream (subscription, destination, snapshot, position, horizon)
                SELECT 'other ' || i, 'd1', pg_current_snapshot(), 1, pg_current_xact_id()
                FROM generate_series(1, \(self.size)) AS i
                """)
        case .keys:
            return
        case .deferred:
            try await self.execute(
                """
                INSERT INTO {{schema}}.deferred (id, created_at, destination, key, payload, next_attempt_at, ordered)
                SELECT 1000000000 + i, now(), 'd1', 'deferred ' || i, 'x', now() + interval '1 day', true
                FROM generate_series(1, \(self.size)) AS i
                """)
        case .messages:
            try await self.execute(
                """
                INSERT INTO {{schema}}.message (destination, payload, key)
                SELECT 'd1', 'x', 'k' || i % 1000 FROM generate_series(1, \(self.size)) AS i
                """)
        }
        // Everything that is there is delivered once, so that the streams exist and stand behind it.
        let waiting = try await self.outbox.count("SELECT count(*) FROM {{schema}}.message")
        _ = try await self.withRelay { relay in try await relay.deliveries.reach(waiting) }
        try await self.execute("VACUUM ANALYZE")
    }

    /// How long it takes, in milliseconds.
    func time(_ measure: ScaleMeasure) async throws -> Double {
        switch measure {
        case .start:
            let began = ContinuousClock.now
            return try await self.withRelay { relay in
                ((relay.deliveries.started ?? .now) - began).inSeconds * 1000
            }
        case .quietMessage:
            return try await self.withRelay { relay in
                var times: [Double] = []
                for number in 1...21 {
                    try await Task.sleep(for: .milliseconds(20))
                    let began = ContinuousClock.now
                    try await self.execute("SELECT {{schema}}.enqueue('d1', 'x'::text)")
                    times.append((try await relay.deliveries.reach(number) - began).inSeconds * 1000)
                }
                return times.median
            }
        case .serverTime:
            return try await self.withRelay { relay in
                try await self.deliverAlone(0..<5, relay)
                // The session that owns the outbox.
                let process = try await self.outbox.count(
                    """
                    SELECT DISTINCT pid FROM pg_locks AS held
                    WHERE held.locktype = 'advisory' AND held.granted AND held.mode = 'ExclusiveLock'
                        AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                        AND held.classid = '{{schema}}.message'::regclass::oid
                    """)
                let began = try ProcessTime.milliseconds(of: process)
                try await self.deliverAlone(5..<55, relay)
                return (try ProcessTime.milliseconds(of: process) - began) / 50
            }
        case .burst:
            return try await self.withRelay { relay in
                let began = ContinuousClock.now
                try await self.execute(
                    "INSERT INTO {{schema}}.message (destination, payload) SELECT 'd1', 'x' FROM generate_series(1, 10000)"
                )
                return (try await relay.deliveries.reach(10_000) - began).inSeconds * 1000
            }
        case .janitor:
            return try await self.time(of: "SELECT {{schema}}.segment_is_passed(0::smallint)")
        case .dueQueues:
            try await self.execute(
                """
                INSERT INTO {{schema}}.deferred (id, created_at, destination, key, payload, attempts, next_attempt_at, ordered)
                SELECT 1000000000 + i, now(), 'd1', 'k' || i % \(self.size), 'x', 1,
                    CASE WHEN i < \(self.size) THEN now() ELSE 'infinity' END, true
                FROM generate_series(0, \(self.size * 10 - 1)) AS i
                """)
            try await self.execute("ANALYZE {{schema}}.deferred")
            let began = ContinuousClock.now
            return try await self.withRelay { relay in
                (try await relay.deliveries.reach(self.size * 10) - began).inSeconds * 1000
            }
        case .status:
            let connection = try await self.outbox.server.connect()
            return try await withCleanUp {
                let began = ContinuousClock.now
                _ = try await OutboxInspector(schema: self.outbox.schema).status(on: connection)
                return (ContinuousClock.now - began).inSeconds * 1000
            } cleanUp: {
                await connection.close()
            }
        }
    }

    /// Delivers messages that come one by one, to a relay that sleeps before each.
    private func deliverAlone(_ numbers: Range<Int>, _ relay: RunningRelay) async throws {
        for number in numbers {
            try await Task.sleep(for: .milliseconds(20))
            try await self.execute("SELECT {{schema}}.enqueue('d1', 'x'::text)")
            _ = try await relay.deliveries.reach(number + 1)
        }
        // What is done after the last one is done for each of them.
        try await Task.sleep(for: .milliseconds(20))
    }

    private func time(of query: String) async throws -> Double {
        let began = ContinuousClock.now
        _ = try await self.outbox.query(query)
        return (ContinuousClock.now - began).inSeconds * 1000
    }

    /// One statement after the other, each in a transaction of its own.
    private func execute(_ script: String) async throws {
        for statement in script.split(separator: ";") { try await self.outbox.execute(String(statement)) }
    }

    private struct RunningRelay {
        let deliveries: Deliveries
    }

    /// Runs `body` beside a relay that has begun, and ends the relay in good order.
    private func withRelay<Result>(_ body: (RunningRelay) async throws -> Result) async throws -> Result {
        let deliveries = Deliveries()
        var routes = RelayRoutes()
        for destination in self.destinations {
            routes[Destination(destination)] = .handler(concurrency: 1) { _ in deliveries.add() }
        }
        let relay = Relay(
            // The janitor is measured by itself.
            store: PostgresStore(postgres: self.outbox.postgres, schema: self.outbox.schema, segments: nil),
            routes: routes, logger: .quiet)
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            let events = relay.events(bufferingNewest: 10)
            tasks.addTask {
                defer { deliveries.end() }
                try await relay.run()
            }
            for await event in events where event == .started {
                deliveries.begin()
                break
            }
            let result: Swift.Result<Result, any Error>
            do {
                result = .success(try await body(RunningRelay(deliveries: deliveries)))
            } catch {
                result = .failure(error)
            }
            relay.stop()
            try await tasks.waitForAll()
            return try result.get()
        }
    }
}
