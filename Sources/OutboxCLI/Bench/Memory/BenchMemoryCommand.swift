import ArgumentParser
import BenchmarkReferences
import Outbox
import Synchronization

/// `outbox bench memory`: how much memory a relay takes that has much to do.
struct BenchMemoryCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "memory",
        abstract: "Resident memory while a long backlog is delivered, beside a short one.",
        discussion: """
            The most that this whole process had at any moment of the delivery.

            EXAMPLES:
              outbox bench memory
              outbox bench memory --messages 20000000 --size 1000
            """)

    @OptionGroup
    var options: BenchOptions

    @Option(help: ArgumentHelp("How many messages wait.", valueName: "count"))
    var messages = 5_000_000

    @Option(help: ArgumentHelp("How many wait for the reference.", valueName: "count"))
    var few = 10_000

    @Option(help: ArgumentHelp("How long a payload is, in bytes.", valueName: "bytes"))
    var size = 200

    func validate() throws {
        try BenchLimits.check(messages: self.messages)
        try BenchLimits.check(messages: self.few)
        try BenchLimits.check(size: self.size)
    }

    func measure(_ harness: Harness) async throws -> [Comparison] {
        try await harness.server.withOutbox { long in
            try await harness.server.withOutbox { short in
                try await long.fill(self.messages, size: self.size)
                try await short.fill(self.few, size: self.size)
                var run = 0
                return [
                    try await harness.compare(
                        "resident memory, \(self.messages.grouped) waiting", reference: "\(self.few.grouped) waiting",
                        unit: "MB", goal: .valueAtMost(100)
                    ) {
                        run += 1
                        return try await self.peak(long, self.messages, run)
                    } with: {
                        run += 1
                        return try await self.peak(short, self.few, run)
                    }
                ]
            }
        }
    }

    private func peak(_ outbox: BenchOutbox, _ messages: Int, _ run: Int) async throws -> Double {
        var configuration = RelayConfiguration()
        configuration.subscription = "bench \(run)"
        let peak = Peak()
        _ = try await outbox.drain(messages, configuration: configuration) { _ in peak.look() }
        return Double(peak.bytes) / 1e6
    }
}

/// The most memory that was seen.
private final class Peak: Sendable {
    private let calls = Atomic(0)
    private let most = Atomic<Int64>(0)

    var bytes: Int64 { self.most.load(ordering: .relaxed) }

    /// Looks, not each time: it costs more than a delivery.
    func look() {
        if self.calls.add(1, ordering: .relaxed).oldValue % 500 != 0 { return }
        self.most.max(reference_resident_bytes(), ordering: .relaxed)
    }
}
