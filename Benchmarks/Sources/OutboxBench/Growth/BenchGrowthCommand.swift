import ArgumentParser

/// `outbox-bench growth`: what longer backlogs and longer payloads do to the drain.
struct BenchGrowthCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "growth",
        abstract: "The drain with longer and longer backlogs, and with longer and longer payloads.",
        discussion: """
            EXAMPLES:
              outbox-bench growth
              outbox-bench growth --backlogs 10000,100000 --sizes 100,2048
            """)

    @OptionGroup
    var options: BenchOptions

    @Option(help: ArgumentHelp("How many messages of 200 bytes wait.", valueName: "counts"))
    var backlogs = NumberList([10_000, 1_000_000, 5_000_000])

    @Option(help: ArgumentHelp("How long payloads are, in bytes.", valueName: "sizes"))
    var sizes = NumberList([100, 2048, 102_400])

    @Option(help: ArgumentHelp("How many bytes of payloads there are in all, for each length.", valueName: "bytes"))
    var volume = 200_000_000

    func validate() throws {
        for messages in self.backlogs.numbers { try BenchLimits.check(messages: messages) }
        for size in self.sizes.numbers { try BenchLimits.check(size: size) }
        if self.volume < 1 { throw ValidationError("--volume is at least 1.") }
    }

    func measure(_ harness: Harness) async throws -> [Comparison] {
        var comparisons: [Comparison] = []
        for messages in self.backlogs.numbers {
            let benchmark = DrainBenchmark(messages: messages, size: 200)
            comparisons.append(try await benchmark.measure("drain, \(messages.grouped) waiting", harness))
        }
        for size in self.sizes.numbers {
            let benchmark = DrainBenchmark(messages: min(max(self.volume / size, 1), 500_000), size: size)
            comparisons.append(try await benchmark.measure("drain, payloads of \(size.grouped) bytes", harness))
        }
        return comparisons
    }
}
