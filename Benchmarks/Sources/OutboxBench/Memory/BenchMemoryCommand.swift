import ArgumentParser
import BenchmarkReferences
import Outbox
import Synchronization

/// `outbox-bench memory`: how much memory a relay takes that has much to do.
struct BenchMemoryCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "memory",
        abstract: "Resident memory while a long backlog is delivered, beside a short one.",
        discussion: """
            The most that this whole process had at any moment of the delivery.

            EXAMPLES:
              outbox-bench memory
              outbox-bench memory --messages 20000000 --size 1000
              outbox-bench memory --messages 2000000 --late
            """)

    @OptionGroup
    var options: BenchOptions

    @Option(help: ArgumentHelp("How many messages wait.", valueName: "count"))
    var messages = 5_000_000

    @Option(help: ArgumentHelp("How many wait for the reference.", valueName: "count"))
    var few = 10_000

    @Option(help: ArgumentHelp("How long a payload is, in bytes.", valueName: "bytes"))
    var size = 200

    @Flag(
        help: "The messages are of one transaction that commits when the relay has delivered a later message.")
    var late = false

    func validate() throws {
        try BenchLimits.check(messages: self.messages)
        try BenchLimits.check(messages: self.few)
        try BenchLimits.check(size: self.size)
    }

    func measure(_ harness: Harness) async throws -> [Comparison] {
        try await harness.server.withOutbox { long in
            try await harness.server.withOutbox { short in
                var subscriptions = (0...harness.runs).map { "bench \($0)" }[...]
                if self.late {
                    try await long.fillLate(self.messages, size: self.size) {
                        for subscription in subscriptions { _ = try await self.peak(long, 1, subscription) }
                    }
                } else {
                    try await long.fill(self.messages, size: self.size)
                }
                try await short.fill(self.few, size: self.size)
                var others = subscriptions
                return [
                    try await harness.compare(
                        "resident memory, \(self.messages.grouped) \(self.late ? "late" : "waiting")",
                        reference: "\(self.few.grouped) waiting", unit: "MB", goal: .valueAtMost(100)
                    ) {
                        try await self.peak(long, self.messages, subscriptions.removeFirst())
                    } with: {
                        try await self.peak(short, self.few, others.removeFirst())
                    }
                ]
            }
        }
    }

    private func peak(_ outbox: BenchOutbox, _ messages: Int, _ subscription: String) async throws -> Double {
        var settings = RelaySettings()
        settings.subscription = subscription
        let peak = Peak()
        _ = try await outbox.drain(messages, settings: settings, handler: { _ in peak.look() })
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
