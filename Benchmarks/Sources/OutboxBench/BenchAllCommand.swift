import ArgumentParser

/// `outbox-bench all`: every benchmark but the soak and those of brokers, one after the other on one server.
struct BenchAllCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "all",
        abstract: "Every benchmark but the soak and those of brokers, one after the other on one server.",
        discussion: """
            About an hour, and 10 GB of disk for a while; --quick takes some minutes.

            EXAMPLES:
              outbox-bench all --json results.json
              outbox-bench all --quick
            """)

    @OptionGroup
    var options: BenchOptions

    @Flag(help: "With few messages: to see it work, not to measure.")
    var quick = false

    /// The benchmarks, as they are written on a command line. Memory first: the others leave the process larger.
    private var commandLines: [String] {
        if self.quick {
            return [
                "memory --messages 200000", "memory --messages 200000 --late", "insert --messages 2000",
                "commits --clients 1,32,64 --seconds 1", "enqueue --messages 50000",
                "latency --messages 50", "growth --backlogs 10000,100000 --volume 20000000",
                "pinned --before 100000 --messages 50000 --singles 50", "designs --messages 50000 --commits 3000",
                "writes",
                "fleet --messages 500 --backlog 50000 --singles 50",
            ]
        }
        return [
            "memory", "memory --messages 2000000 --late", "insert", "commits --clients 1,8,32,64,128", "enqueue",
            "latency", "growth",
            "pinned", "designs", "writes", "fleet",
        ]
    }

    func measure(_ harness: Harness) async throws -> [Comparison] {
        var comparisons: [Comparison] = []
        for line in self.commandLines {
            let arguments = line.split(separator: " ").map(String.init)
            guard let benchmark = try OutboxBench.parseAsRoot(arguments) as? any Benchmark else { continue }
            Harness.say("outbox-bench \(line)")
            comparisons += try await benchmark.measure(harness)
        }
        return comparisons
    }
}
