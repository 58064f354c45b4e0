import ArgumentParser
import OutboxPostgres

/// `outbox-bench pinned`: what a long transaction elsewhere does to a relay.
struct BenchPinnedCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "pinned",
        abstract: "Drain and latency under a transaction that keeps vacuum from cleaning up, beside the same without.",
        discussion: """
            In two databases of one server, so that the transaction is in the way of one. In both, many messages have been \
            delivered since it began.

            EXAMPLES:
              outbox-bench pinned
              outbox-bench pinned --before 5000000
            """)

    @OptionGroup
    var options: BenchOptions

    @Option(help: ArgumentHelp("How many messages are delivered before, under the transaction.", valueName: "count"))
    var before = 1_000_000

    @Option(help: ArgumentHelp("How many messages wait, for each measurement.", valueName: "count"))
    var messages = 200_000

    @Option(help: ArgumentHelp("How many single messages, for each measurement of latency.", valueName: "count"))
    var singles = 100

    @Option(help: ArgumentHelp("How long a payload is, in bytes.", valueName: "bytes"))
    var size = 200

    func validate() throws {
        try BenchLimits.check(messages: self.before)
        try BenchLimits.check(messages: self.messages)
        try BenchLimits.check(messages: self.singles)
        try BenchLimits.check(size: self.size)
    }

    func measure(_ harness: Harness) async throws -> [Comparison] {
        try await harness.server.withDatabase { pinnedServer in
            try await harness.server.withDatabase { freeServer in
                try await pinnedServer.withOutbox { pinned in
                    try await freeServer.withOutbox { free in
                        try await Pin.with(pinnedServer) {
                            for outbox in [pinned, free] {
                                try await outbox.fill(self.before, size: self.size)
                                _ = try await outbox.drain(self.before)
                            }
                            return try await self.measure(harness, pinned, free)
                        }
                    }
                }
            }
        }
    }

    private func measure(_ harness: Harness, _ pinned: BenchOutbox, _ free: BenchOutbox) async throws -> [Comparison] {
        let reference = "no such transaction"
        let latency = LatencyBenchmark(messages: self.singles, pause: 0.02)
        let drain = try await harness.compare(
            "drain under a pinned xmin", reference: reference, unit: "messages/s", goal: .ratioAtLeast(0.95)
        ) {
            try await self.drain(pinned)
        } with: {
            try await self.drain(free)
        }
        let single = try await harness.compare(
            "commit to handler under a pinned xmin, p50", reference: reference, unit: "ms", goal: .ratioAtMost(1 / 0.95)
        ) {
            try await latency.relay(pinned).median
        } with: {
            try await latency.relay(free).median
        }
        return [drain, single]
    }

    private func drain(_ outbox: BenchOutbox) async throws -> Double {
        try await outbox.fill(self.messages, size: self.size)
        return try await outbox.drain(self.messages)
    }
}
