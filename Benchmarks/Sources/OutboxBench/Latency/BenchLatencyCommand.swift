import ArgumentParser
import BenchmarkDesigns

/// `outbox-bench latency`: how long a message takes from its commit to a handler, on a quiet system.
struct BenchLatencyCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "latency",
        abstract: "From COMMIT to the handler on a quiet system, beside a program in C that LISTENs, then SELECTs.",
        discussion: """
            EXAMPLES:
              outbox-bench latency
              outbox-bench latency --messages 1000 --pause 200ms
            """)

    @OptionGroup
    var options: BenchOptions

    @Option(help: ArgumentHelp("How many messages, for each measurement.", valueName: "count"))
    var messages = 200

    @Option(help: ArgumentHelp("How long nothing happens before each.", valueName: "interval"))
    var pause = Interval(.milliseconds(20))

    func validate() throws {
        try BenchLimits.check(messages: self.messages)
    }

    func measure(_ harness: Harness) async throws -> [Comparison] {
        let benchmark = LatencyBenchmark(messages: self.messages, pause: self.pause.duration.inSeconds)
        return try await harness.server.withOutbox { outbox in
            try await harness.server.withOutbox { loud in
                try await loud.execute(Design.notifyPerRow)
                let samples = try await harness.rounds(
                    "latency", [{ try await benchmark.relay(outbox) }, { try await benchmark.listener(loud) }])
                func comparison(
                    _ name: String, _ goal: Comparison.Goal, _ value: (LatencyBenchmark.Sample) -> Double
                ) -> Comparison {
                    Comparison(
                        name, reference: "LISTEN, then SELECT in C", unit: "ms", goal: goal,
                        values: samples[0].map(value), referenceValues: samples[1].map(value))
                }
                return [
                    comparison("commit to handler, p50", .ratioAtMost(1.5), \.median),
                    comparison("commit to handler, p99", .none, \.p99),
                ]
            }
        }
    }
}
