import ArgumentParser
import BenchmarkDesigns

/// `outbox-bench writes`: what delivery writes.
struct BenchWritesCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "writes",
        abstract: "Rows and WAL that delivery writes, beside a status column.",
        discussion: """
            The WAL is the whole server's, so it wants a server on which nothing else happens. The rows are exact.

            EXAMPLES:
              outbox-bench writes
              outbox-bench writes --messages 1000000
            """)

    @OptionGroup
    var options: BenchOptions

    @Option(help: ArgumentHelp("How many messages are delivered.", valueName: "count"))
    var messages = 100_000

    @Option(help: ArgumentHelp("How long a payload is, in bytes.", valueName: "bytes"))
    var size = 200

    func validate() throws {
        try BenchLimits.check(messages: self.messages)
        try BenchLimits.check(size: self.size)
    }

    func measure(_ harness: Harness) async throws -> [Comparison] {
        try await harness.server.withOutbox { own in
            try await harness.server.withOutbox { other in
                let status = try await DesignUnderTest(.status, other)
                let samples = try await harness.rounds(
                    "writes", [{ try await self.relay(own) }, { try await self.worker(status) }])
                func comparison(
                    _ name: String, _ unit: String, atMost: Double, _ value: (BenchOutbox.Written) -> Double
                ) -> Comparison {
                    // The design's limits are for 100,000 messages.
                    Comparison(
                        "\(name) for \(self.messages.grouped) messages", reference: status.design.name, unit: unit,
                        goal: self.messages == 100_000 ? .valueAtMost(atMost) : .none,
                        values: samples[0].map(value), referenceValues: samples[1].map(value))
                }
                return [
                    comparison("rows written", "rows", atMost: 200) { Double($0.rows) },
                    comparison("WAL written", "MB", atMost: 1) { Double($0.log) / 1e6 },
                ]
            }
        }
    }

    private func relay(_ outbox: BenchOutbox) async throws -> BenchOutbox.Written {
        try await outbox.empty()
        try await outbox.fill(self.messages, size: self.size)
        let before = try await outbox.written()
        _ = try await outbox.drain(self.messages)
        return try await outbox.written() - before
    }

    private func worker(_ other: DesignUnderTest) async throws -> BenchOutbox.Written {
        try await other.empty()
        try await other.outbox.fill(self.messages, size: self.size, table: other.design.tableName)
        let before = try await other.outbox.written()
        _ = try await other.withWorker { goal in goal.set(self.messages) }
        return try await other.outbox.written() - before
    }
}
