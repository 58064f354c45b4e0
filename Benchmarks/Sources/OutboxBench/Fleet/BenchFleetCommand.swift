import ArgumentParser
import Outbox

/// `outbox-bench fleet`: what relays that share streams do together, and what it costs to have several streams.
struct BenchFleetCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "fleet",
        abstract: "Relays that share the streams of a destination, and what it costs to divide it.",
        discussion: """
            Each relay is a process of its own.

              balance    messages a second of several relays on eight streams, whose handlers take 5 ms,
                         beside as many times what one relay does
              endings    from a relay's end until the other one has all streams, and what it repeats:
                         a graceful stop beside SIGKILL
              latency    from COMMIT to the handler: a stream of a relay that sleeps because another
                         one has the bell, beside that one's
              streams    one relay with a destination in several streams beside one stream:
                         the drain of a backlog, and the median latency
              upkeep     one relay with many destinations, one message a second to one of them:
                         resident memory, and processor time of the relay and of its server process

            EXAMPLES:
              outbox-bench fleet
              outbox-bench fleet --of balance --relays 1,2,4,8
            """)

    enum Part: String, CaseIterable, Sendable {
        case balance, endings, latency, streams, upkeep
    }

    @OptionGroup
    var options: BenchOptions

    @Option(
        name: .customLong("of"),
        help: ArgumentHelp(
            "Which of: \(Part.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "names"))
    var parts: String?

    @Option(help: ArgumentHelp("How many relays share eight streams; the first is the reference.", valueName: "counts"))
    var relays = NumberList([1, 2, 4])

    @Option(help: ArgumentHelp("How many messages each relay is given.", valueName: "count"))
    var messages = 8000

    @Option(help: ArgumentHelp("How many streams a destination has; the first is the reference.", valueName: "counts"))
    var streams = NumberList([1, 8, 32])

    @Option(help: ArgumentHelp("How many destinations a relay has; the first is the reference.", valueName: "counts"))
    var destinations = NumberList([1, 100, 1000])

    @Option(help: ArgumentHelp("For how many seconds processor time is measured.", valueName: "count"))
    var seconds = 10

    @Option(help: ArgumentHelp("How many messages wait for the drain.", valueName: "count"))
    var backlog = 500_000

    @Option(help: ArgumentHelp("How many single messages, for each measurement of the latency.", valueName: "count"))
    var singles = 200

    func validate() throws {
        try BenchLimits.check(messages: self.messages)
        try BenchLimits.check(messages: self.backlog)
        try BenchLimits.check(messages: self.singles)
        if self.relays.numbers.count < 2 || !self.relays.numbers.allSatisfy({ [1, 2, 4, 8].contains($0) }) {
            throw ValidationError("--relays is at least two of 1, 2, 4 and 8, with commas.")
        }
        if self.streams.numbers.count < 2 || !self.streams.numbers.allSatisfy((1...1024).contains) {
            throw ValidationError("--streams is at least two numbers from 1 to 1024, with commas.")
        }
        if self.destinations.numbers.count < 2 || !self.destinations.numbers.allSatisfy((1...10_000).contains) {
            throw ValidationError("--destinations is at least two numbers from 1 to 10000, with commas.")
        }
        if !(1...3600).contains(self.seconds) { throw ValidationError("--seconds is a number from 1 to 3600.") }
        _ = try self.chosen
    }

    private var chosen: [Part] {
        get throws {
            guard let parts else { return Part.allCases }
            return try parts.split(separator: ",").map { name in
                guard let part = Part(rawValue: String(name)) else {
                    throw ValidationError("--of: “\(name)” is none of those that are measured.")
                }
                return part
            }
        }
    }

    func measure(_ harness: Harness) async throws -> [Comparison] {
        var comparisons: [Comparison] = []
        for part in try self.chosen {
            switch part {
            case .balance: comparisons += try await self.balance(harness)
            case .endings: comparisons += try await self.endings(harness)
            case .latency: comparisons += try await self.latency(harness)
            case .streams:
                comparisons += try await self.divided(self.streams.numbers[...], [], harness)
            case .upkeep: comparisons += try await self.upkeep(harness)
            }
        }
        return comparisons
    }

    /// Handlers that wait, as those do that call others.
    private static let slow = FleetOutbox.Work(pause: Interval(.milliseconds(5)))

    // MARK: - Balance

    private func balance(_ harness: Harness) async throws -> [Comparison] {
        let counts = self.relays.numbers
        let samples = try await harness.rounds(
            "balance",
            counts.map { count in
                {
                    try await FleetOutbox.with(count, Self.slow, on: harness.server) { fleet in
                        let messages = self.messages * count
                        let began = ContinuousClock.now
                        try await fleet.fill(messages)
                        let ended = try await fleet.arrivals.deliveries.reach(messages)
                        return Double(messages) / (ended - began).inSeconds
                    }
                }
            })
        return counts.indices.dropFirst().map { index in
            let factor = Double(counts[index]) / Double(counts[0])
            return Comparison(
                "balance, \(counts[index]) relays", reference: "\(Figure.text(factor)) × \(counts[0])",
                unit: "messages/s",
                goal: .ratioAtLeast(0.9), values: samples[index], referenceValues: samples[0].map { $0 * factor })
        }
    }

    // MARK: - Endings

    private struct Ending: Sendable {
        let milliseconds: Double
        let repeats: Double
    }

    private func endings(_ harness: Harness) async throws -> [Comparison] {
        func ending(_ end: @escaping @Sendable (FleetRelay) -> Void) -> () async throws -> Ending {
            {
                try await FleetOutbox.with(2, Self.slow, on: harness.server) { fleet in
                    let messages = self.messages * 2
                    try await fleet.fill(messages)
                    try await fleet.arrivals.deliveries.reach(messages / 4)
                    let began = ContinuousClock.now
                    end(fleet.relays[0])
                    try await fleet.waitForOwners(1)
                    let taken = ContinuousClock.now - began
                    try await fleet.arrivals.deliveries.reach(messages)
                    await fleet.relays[0].wait()
                    return Ending(milliseconds: taken.inSeconds * 1000, repeats: Double(fleet.arrivals.repeats))
                }
            }
        }
        let samples = try await harness.rounds("endings", [ending { $0.stop() }, ending { $0.kill() }])
        func comparison(_ name: String, _ unit: String, _ goal: Comparison.Goal, _ value: (Ending) -> Double)
            -> Comparison
        {
            Comparison(
                name, reference: "SIGKILL", unit: unit, goal: goal, values: samples[0].map(value),
                referenceValues: samples[1].map(value))
        }
        return [
            comparison("a graceful stop, until another relay has all", "ms", .none, \.milliseconds),
            comparison("a graceful stop, what is repeated", "messages", .valueAtMost(0), \.repeats),
        ]
    }

    // MARK: - Latency

    private func latency(_ harness: Harness) async throws -> [Comparison] {
        let work = FleetOutbox.Work(destinations: 2, streams: 1, concurrency: 8)
        let samples = try await harness.rounds(
            "latency",
            [
                {
                    try await FleetOutbox.with(2, work, on: harness.server) { fleet in
                        // A message each, so that both have read and one is the keeper.
                        for destination in 1...2 {
                            _ = try await fleet.latency(of: "fleet \(destination)", messages: 1, pause: 0.02)
                        }
                        try await fleet.outbox.empty()
                        let (keepers, others) = try await fleet.keepersAndOthers()
                        guard keepers.count == 1, others.count == 1 else {
                            throw BenchFailure("no relay has the bell for itself")
                        }
                        // Both at the same time: a keeper that has nothing to read lets another one be it.
                        async let keeper = fleet.latency(of: keepers[0], messages: self.singles, pause: 0.02)
                        async let other = fleet.latency(of: others[0], messages: self.singles, pause: 0.02)
                        let pair = (keeper: try await keeper.median, other: try await other.median)
                        let after = try await fleet.keepersAndOthers()
                        if after.keepers != keepers { Harness.say("latency: another relay has the bell by now") }
                        return pair
                    }
                }
            ])[0]
        return [
            Comparison(
                "commit to handler, p50, another relay’s stream", reference: "the keeper’s", unit: "ms",
                goal: .ratioAtMost(1.2), values: samples.map(\.other), referenceValues: samples.map(\.keeper))
        ]
    }

    // MARK: - Streams

    /// Makes an outbox for each number of streams, and measures when all are there.
    private func divided(
        _ counts: ArraySlice<Int>, _ outboxes: [BenchOutbox], _ harness: Harness
    ) async throws -> [Comparison] {
        guard let count = counts.first else { return try await self.divided(outboxes, harness) }
        return try await harness.server.withOutbox { outbox in
            let outbox = outbox.divided(into: count)
            try await outbox.fill(self.backlog, size: 200)
            return try await self.divided(counts.dropFirst(), outboxes + [outbox], harness)
        }
    }

    private func divided(_ outboxes: [BenchOutbox], _ harness: Harness) async throws -> [Comparison] {
        var run = 0
        let drains = try await harness.rounds(
            "drain",
            outboxes.map { outbox in
                {
                    run += 1
                    var settings = RelaySettings()
                    settings.subscription = "bench \(run)"
                    return try await outbox.drain(self.backlog, settings: settings)
                }
            })
        for outbox in outboxes { try await outbox.empty() }
        let benchmark = LatencyBenchmark(messages: self.singles, pause: 0.02)
        let latencies = try await harness.rounds(
            "latency", outboxes.map { outbox in { try await benchmark.relay(outbox).median } })
        return outboxes.indices.dropFirst().flatMap { index in
            let name = "\(outboxes[index].streams) streams"
            let reference = outboxes[0].streams == 1 ? "1 stream" : "\(outboxes[0].streams) streams"
            return [
                Comparison(
                    "drain, \(name)", reference: reference, unit: "messages/s", goal: .none, values: drains[index],
                    referenceValues: drains[0]),
                Comparison(
                    "commit to handler, p50, \(name)", reference: reference, unit: "ms", goal: .none,
                    values: latencies[index], referenceValues: latencies[0]),
            ]
        }
    }
}
