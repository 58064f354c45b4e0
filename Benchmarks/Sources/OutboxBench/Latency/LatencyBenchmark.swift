import BenchmarkDesigns
import BenchmarkReferences
import Outbox
import Synchronization

/// From the COMMIT of a single message to a handler, on a quiet system.
struct LatencyBenchmark {
    var messages: Int
    /// Before each message.
    var pause: Double

    /// In milliseconds.
    struct Sample: Sendable {
        let median: Double
        let p99: Double

        init(_ latencies: [Double]) {
            self.median = latencies.percentile(0.5) * 1000
            self.p99 = latencies.percentile(0.99) * 1000
        }
    }

    /// From the moment when COMMIT is sent to the handler's first line, or to the moment when a route has delivered it.
    func relay(_ outbox: BenchOutbox, route: BenchOutbox.Route? = nil) async throws -> Sample {
        let arrivals = Arrivals(self.messages)
        return try await outbox.withRelay(route: route, handler: { arrivals.add($0) }) { deliveries in
            // One that is not counted: when it has arrived, the relay is at work.
            try await outbox.execute(
                "INSERT INTO {{schema}}.message (destination, payload) VALUES ('bench', 'first')")
            try await deliveries.reach(1)
            let commits = try await self.commits(outbox)
            try await deliveries.reach(1 + self.messages)
            return try arrivals.sample(since: commits)
        }
    }

    /// The same with a program in C that listens on a table which notifies for each row; see `Design.notifyPerRow`.
    func listener(_ outbox: BenchOutbox) async throws -> Sample {
        let oid = try await outbox.count("SELECT '{{schema}}.message'::regclass::oid::bigint")
        let channel = "outbox_\(oid)"
        let count = self.messages
        let listener = await Reference.onThread {
            unsafe Listener(
                pointer: reference_listen(
                    outbox.server.connectionString, outbox.log, BenchOutbox.destination.name, channel))
        }
        async let arrivals = Reference.onThread {
            var times = [Double](repeating: .nan, count: count)
            let result = unsafe times.withUnsafeMutableBufferPointer {
                unsafe reference_listener_run(listener.pointer, Int32(count), $0.baseAddress)
            }
            return (times, result)
        }
        let commits = try await self.commits(outbox)
        let (times, result) = await arrivals
        _ = try Reference.outcome("listener", result)
        return try Arrivals(times).sample(since: commits)
    }

    /// When each COMMIT was sent.
    private func commits(_ outbox: BenchOutbox) async throws -> [Double] {
        let (times, result) = await Reference.onThread {
            var times = [Double](repeating: .nan, count: self.messages)
            let result = unsafe times.withUnsafeMutableBufferPointer {
                unsafe reference_quiet_commits(
                    outbox.server.connectionString, outbox.log, BenchOutbox.destination.name, Int32(self.messages),
                    self.pause, $0.baseAddress)
            }
            return (times, result)
        }
        _ = try Reference.outcome("producer", result)
        return times
    }
}

/// A listener in C on its way to the thread that ends it.
@safe private struct Listener: @unchecked Sendable { // used by one thread at a time
    let pointer: OpaquePointer?
}

/// When messages have arrived, by their numbers.
private final class Arrivals: Sendable {
    private let times: Mutex<[Double]>

    init(_ count: Int) {
        self.times = Mutex([Double](repeating: .nan, count: count))
    }

    init(_ times: [Double]) {
        self.times = Mutex(times)
    }

    func add(_ message: Message) {
        let now = reference_now()
        let payload = message.payload
        if payload.count != 4 { return }
        let number = payload.reduce(0) { $0 << 8 | Int($1) }
        self.times.withLock { if $0.indices.contains(number) { $0[number] = now } }
    }

    func sample(since commits: [Double]) throws -> LatencyBenchmark.Sample {
        let times = self.times.withLock { $0 }
        if times.contains(where: \.isNaN) { throw BenchFailure("a message has not arrived") }
        return LatencyBenchmark.Sample(zip(times, commits).map { $0 - $1 })
    }
}
