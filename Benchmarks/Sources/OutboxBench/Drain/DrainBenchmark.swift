import BenchmarkReferences
import Outbox

/// A backlog into a closure that does nothing, beside a loop in C that only reads.
struct DrainBenchmark {
    var messages: Int
    var size: Int
    /// As a relay reads where nothing else is given.
    var page = 2000
    var concurrency = 64

    func measure(_ name: String, _ harness: Harness) async throws -> Comparison {
        try await harness.server.withOutbox { outbox in
            try await outbox.fill(self.messages, size: self.size)
            var run = 0
            return try await harness.compare(
                name, reference: "libpq in C", unit: "messages/s", goal: .ratioAtLeast(0.8)
            ) {
                run += 1
                var settings = RelaySettings()
                settings.subscription = "bench \(run)"
                settings.page.messages = self.page
                settings.window.messages = max(10_000, 4 * self.page)
                return try await outbox.drain(
                    self.messages, settings: settings, concurrency: self.concurrency)
            } with: {
                try await self.reference(outbox)
            }
        }
    }

    private func reference(_ outbox: BenchOutbox) async throws -> Double {
        // Not more at once than a relay would read.
        let page = max(min(self.page, (8 << 20) / max(self.size, 1)), 1)
        let outcome = try await Reference.run("libpq in C") {
            unsafe reference_drain(
                outbox.server.connectionString, outbox.log, BenchOutbox.destination.name, Int32(page))
        }
        if outcome.messages != self.messages {
            throw BenchFailure("the reference has read \(outcome.messages) of \(self.messages) messages")
        }
        return outcome.rate
    }
}
