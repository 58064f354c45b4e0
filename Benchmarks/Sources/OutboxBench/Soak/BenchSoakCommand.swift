import ArgumentParser
import Outbox
import OutboxPostgres

/// `outbox-bench soak`: a steady load for long, and what becomes of tables, memory and times.
struct BenchSoakCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "soak",
        abstract: "A steady load for long, with a transaction that keeps vacuum from cleaning up for a while.",
        discussion: """
            Autovacuum is as it is by default. Latencies are from the moment when a producer sends its INSERT to the \
            handler's first line. The memory is that of this process, the producers in C included.

            EXAMPLES:
              outbox-bench soak --duration 30m --rate 2000 --pin-after 10m --pin-for 10m --json soak.jsonl
              outbox-bench soak --duration 60s
            """)

    @OptionGroup
    var server: BenchServerOptions

    @Option(help: ArgumentHelp("For how long.", valueName: "interval"))
    var duration = Interval(.seconds(30 * 60))

    @Option(help: ArgumentHelp("How many transactions of one message a second.", valueName: "count"))
    var rate = 2000.0

    @Option(help: ArgumentHelp("How many producers.", valueName: "count"))
    var clients = 32

    @Option(help: ArgumentHelp("How long a payload is, in bytes.", valueName: "bytes"))
    var size = 200

    @Option(help: ArgumentHelp("When the long transaction begins; default: after a third.", valueName: "interval"))
    var pinAfter: Interval?

    @Option(help: ArgumentHelp("How long it takes; default: a third.", valueName: "interval"))
    var pinFor: Interval?

    @Option(help: ArgumentHelp("How long delivered messages are kept.", valueName: "interval"))
    var retention = Interval(.seconds(300))

    @Option(help: ArgumentHelp("How often it is looked.", valueName: "interval"))
    var every = Interval(.seconds(10))

    @Option(
        help: ArgumentHelp("Write the machine, then each sample, as lines of JSON; - is stdout.", valueName: "file"))
    var json: String?

    func validate() throws {
        try BenchLimits.check(clients: [self.clients])
        try BenchLimits.check(size: self.size)
        if !(1...1_000_000).contains(self.rate) { throw ValidationError("--rate is 1 to 1000000.") }
        if self.duration.duration < .milliseconds(100) { throw ValidationError("--duration is at least 100ms.") }
        if self.every.duration < .milliseconds(10) { throw ValidationError("--every is at least 10ms.") }
    }

    func run() async throws {
        let (machine, samples) = try await self.server.withServer { server in
            let machine = try await Machine(server: server)
            return (machine, try await server.withOutbox { try await self.soak($0) })
        }
        let report = SoakReport(machine: machine, samples: samples)
        if self.json != "-" { report.print() }
        if let json { try OutputFile.write(report.json, to: json) }
    }

    private func soak(_ outbox: BenchOutbox) async throws -> [SoakSample] {
        let total = self.duration.duration
        var segments = SegmentPolicy()
        segments.retention = self.retention.duration
        segments.maximumAge = self.retention.duration / 3
        let latencies = SoakLatencies()
        return try await outbox.withRelay(segments: segments, handler: { latencies.add($0) }) { deliveries in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                let pin = SoakPin(
                    after: self.pinAfter?.duration ?? total / 3, for: self.pinFor?.duration ?? total / 3)
                tasks.addTask { try await pin.run(on: outbox.server) }
                defer { tasks.cancelAll() }

                let load = Load(clients: self.clients, seconds: total.inSeconds, rate: self.rate)
                async let producers = load(outbox.insert(size: self.size), on: outbox.server)
                let clock = ContinuousClock()
                let began = clock.now
                var samples: [SoakSample] = []
                var sampler = SoakSampler(outbox: outbox, began: began)
                while clock.now + self.every.duration < began + total {
                    try await clock.sleep(for: self.every.duration)
                    let sample = try await sampler.sample(deliveries.count, latencies.take(), isPinned: pin.isOn)
                    Harness.say(sample.line)
                    samples.append(sample)
                }
                let outcome = try await producers
                try await deliveries.reach(outcome.messages)
                samples.append(try await sampler.sample(deliveries.count, latencies.take(), isPinned: pin.isOn))
                return samples
            }
        }
    }
}
