import BenchmarkReferences
import Outbox
import Synchronization

/// A transport beside a program in C that uses the same library with the same window; and the whole way from Postgres.
struct BrokerBenchmark<Broker: BenchBroker> {
    let broker: Broker
    var messages: Int
    var size: Int
    var window: Int
    /// For the latency.
    var singles: Int
    /// Whether the transport is all that is measured, without Postgres.
    var isAlone = false

    private static var lanes: Int { brokerLanes }

    /// Two windows, so that the transport's window, which is the program's too, is what limits it: a lane is given
    /// more when all of its batch is confirmed, and meanwhile there is something to send in the others.
    private var page: Int { 2 * self.window }

    /// How many messages a relay has in memory at most, so that those which are delivered were received just before.
    static func held(ofWindow window: Int) -> Int { 4 * window }

    /// How many messages a lane's batch has.
    static func share(ofWindow window: Int) -> Int { max(2 * window / Self.lanes, 1) }

    private var settings: RelaySettings {
        var settings = RelaySettings()
        settings.page.messages = self.page
        settings.window.messages = Self.held(ofWindow: self.window)
        return settings
    }

    func measure(_ harness: Harness) async throws -> [Comparison] {
        try await harness.server.withOutbox { outbox in
            try await outbox.fill(self.messages, size: self.size, content: self.broker.content)
            let batches = try await self.waiting(in: outbox)
            let alone = try await self.alone(harness, batches)
            if self.isAlone { return alone }
            var run = 0
            let whole = try await harness.compare(
                "Postgres to \(self.broker.name)", reference: self.broker.referenceName, unit: "messages/s", goal: .none
            ) {
                run += 1
                var settings = self.settings
                settings.subscription = "bench \(run)"
                let route = try self.route()
                return try await self.emptied {
                    try await outbox.drain(self.messages, settings: settings, route: route)
                }
            } with: {
                try await self.emptied { try await self.reference().rate }
            }
            return alone + [whole] + (try await self.latency(harness, outbox))
        }
    }

    /// The transport beside the programs in C, in the same rounds.
    private func alone(_ harness: Harness, _ batches: [[MessageBatch]]) async throws -> [Comparison] {
        let name = "\(self.broker.name), a transport"
        var subjects: [() async throws -> Sample] = [
            { try await self.emptied { try await self.sample(of: batches) } },
            { try await self.emptied { try await self.reference() } },
        ]
        let bare = self.broker.bareReferenceName
        if bare != nil { subjects.append({ try await self.emptied { try await self.bareReference() } }) }
        let samples = try await harness.rounds(name, subjects)
        var comparisons = [self.broker.referenceName, bare].enumerated().compactMap { number, reference in
            reference.map {
                Comparison(
                    name, reference: $0, unit: "messages/s", goal: number == 0 ? .ratioAtLeast(0.8) : .none,
                    values: samples[0].map(\.rate), referenceValues: samples[number + 1].map(\.rate))
            }
        }
        if samples[1].allSatisfy({ $0.processorTime != 0 }) {
            comparisons.append(
                Comparison(
                    "\(name), of a processor", reference: self.broker.referenceName, unit: "ns a message", goal: .none,
                    values: samples[0].map(\.processorTime), referenceValues: samples[1].map(\.processorTime)))
        }
        for comparison in comparisons {
            Harness.say("\(comparison.name): \(Figure.text(comparison.ratio)) × \(comparison.reference)")
        }
        return comparisons
    }

    /// What was measured at once.
    private struct Sample {
        /// Messages a second.
        let rate: Double
        /// Nanoseconds of a processor for a message, without what the other side uses in this process; 0: not measured.
        let processorTime: Double

        init(messages: Int, seconds: Double, processorSeconds: Double) {
            self.rate = Double(messages) / seconds
            self.processorTime = processorSeconds * 1e9 / Double(messages)
        }
    }

    /// As many messages as a relay has in memory, divided among lanes by key, and within a lane into batches of a page's share.
    private func waiting(in outbox: BenchOutbox) async throws -> [[MessageBatch]] {
        let collected = Collected(most: Self.held(ofWindow: self.window))
        var settings = self.settings
        settings.subscription = "bench messages"
        _ = try await outbox.drain(self.messages, settings: settings, handler: { collected.add($0) })
        var lanes = [[Message]](repeating: [], count: Self.lanes)
        // A key belongs to one lane, and all lanes have as much to do: none is left over at the end with what others could help with.
        var laneOfKey: [String: Int] = [:]
        for message in collected.messages {
            let key = message.key ?? String(message.id)
            let lane = laneOfKey[key] ?? laneOfKey.count % Self.lanes
            laneOfKey[key] = lane
            lanes[lane].append(message)
        }
        let share = Self.share(ofWindow: self.window)
        return lanes.map { lane in
            stride(from: 0, to: lane.count, by: share).map { start in
                MessageBatch(Array(lane[start..<min(start + share, lane.count)]))
            }
        }
    }

    private func emptied<Value>(_ sample: () async throws -> Value) async throws -> Value {
        let value = try await sample()
        try await self.broker.empty()
        return value
    }

    private func reference() async throws -> Sample {
        try self.checked(
            try await self.broker.reference(messages: self.messages, size: self.size, window: self.window))
    }

    private func bareReference() async throws -> Sample {
        try self.checked(
            try await self.broker.bareReference(messages: self.messages, size: self.size, window: self.window))
    }

    private func checked(_ outcome: Reference.Outcome) throws -> Sample {
        if outcome.messages != self.messages {
            throw BenchFailure("the reference has sent \(outcome.messages) of \(self.messages) messages")
        }
        return Sample(
            messages: outcome.messages, seconds: outcome.seconds, processorSeconds: outcome.processorSeconds)
    }

    private func route() throws -> BenchOutbox.Route {
        self.route(try self.broker.transport(window: self.window))
    }

    private func route(_ transport: any Transport) -> BenchOutbox.Route {
        let settings = DeliverySettings(concurrency: Self.lanes)
        return { delivered in .transport(CountingTransport(transport, delivered), settings: settings) }
    }

    /// Messages through a transport that is connected: the same ones again and again, as they would be others that have just been
    /// received.
    private func sample(of lanes: [[MessageBatch]]) async throws -> Sample {
        let transport = try self.broker.transport(window: self.window)
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await transport.run() }
            defer { tasks.cancelAll() }
            // One that is not counted: when it has arrived, the transport is at work.
            if let first = lanes.lazy.joined().first { try await Self.deliver(MessageBatch([first[0]]), transport) }
            let held = lanes.lazy.joined().reduce(0) { $0 + $1.count }
            let rounds = (self.messages + held - 1) / held
            let processorBegan = Self.processorSeconds
            let began = ContinuousClock.now
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for batches in lanes {
                    tasks.addTask {
                        for _ in 0..<rounds { for batch in batches { try await Self.deliver(batch, transport) } }
                    }
                }
                try await tasks.waitForAll()
            }
            let seconds = (ContinuousClock.now - began).inSeconds
            let processorSeconds = Self.processorSeconds - processorBegan
            await transport.close()
            return Sample(messages: rounds * held, seconds: seconds, processorSeconds: processorSeconds)
        }
    }

    private static var processorSeconds: Double {
        ProcessTime.millisecondsOfOwn(exceptThreadsNamed: REFERENCE_SERVER_THREAD) / 1000
    }

    private static func deliver(_ batch: MessageBatch, _ transport: any Transport) async throws {
        let outcomes = try await transport.deliver(batch)
        guard let failure = outcomes.first(where: { $0 != .delivered }) else { return }
        throw BenchFailure("\(transport) has not delivered a message: \(failure)")
    }

    /// From the COMMIT of a single message to its confirmation, beside the same to a closure.
    private func latency(_ harness: Harness, _ outbox: BenchOutbox) async throws -> [Comparison] {
        let benchmark = LatencyBenchmark(messages: self.singles, pause: 0.02)
        let samples = try await harness.rounds(
            "commit to confirmed",
            [
                {
                    try await outbox.empty()
                    let sample = try await benchmark.relay(
                        outbox, route: self.route(try self.broker.transportOfBytes(window: self.window)))
                    try await self.broker.empty()
                    return sample
                },
                {
                    try await outbox.empty()
                    return try await benchmark.relay(outbox)
                },
            ])
        return [("p50", \LatencyBenchmark.Sample.median), ("p99", \.p99)].map { name, value in
            Comparison(
                "commit to confirmed by \(self.broker.name), \(name)", reference: "commit to handler", unit: "ms",
                goal: .none, values: samples[0].map { $0[keyPath: value] },
                referenceValues: samples[1].map { $0[keyPath: value] })
        }
    }
}

/// How many lanes a destination has, each with a batch under way.
let brokerLanes = 32

/// The first messages, which are kept.
private final class Collected: Sendable {
    private let most: Int
    private let kept = Mutex<[Message]>([])

    init(most: Int) { self.most = most }

    var messages: [Message] { self.kept.withLock { $0 } }

    func add(_ message: Message) {
        self.kept.withLock { kept in
            if kept.count < self.most { kept.append(message) }
        }
    }
}
