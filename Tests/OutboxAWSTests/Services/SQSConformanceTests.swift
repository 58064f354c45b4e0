import Outbox
import OutboxTesting
import Testing

@testable import OutboxAWS

// Each check has a queue of its own.
@Suite(.serialized, .timeLimit(.minutes(10))) struct SQSConformanceTests {
    private static let server = SharedTestbed(.ministack)

    @Test(.timeLimit(.minutes(5)), arguments: TransportConformance.checks)
    func conforms(_ check: TransportConformance.Check) async throws {
        try await self.run(check, suffix: ".fifo")
    }

    /// A queue that keeps no order has none broken either while messages of a key are sent one at a time.
    @Test(.timeLimit(.minutes(5)), arguments: TransportConformance.checks)
    func conformsWithAStandardQueue(_ check: TransportConformance.Check) async throws {
        try await self.run(check, suffix: "")
    }

    private func run(_ check: TransportConformance.Check, suffix: String) async throws {
        let (testbed, number) = try await Self.server.next()
        let name = number + suffix
        try await testbed.makeQueue(name, ["MaximumMessageSize": "600000"])
        let service = ServiceFixture.Service(
            transport: { try testbed.queue(try MessageTemplate(name)) { $0.content.encoding = .envelope } },
            arrivals: { try await testbed.drain(name).map { try EnvelopeReader($0.body).received } },
            // The queue takes less than the service.
            refused: ("padding", String(repeating: "x", count: 650_000)), oversized: 1_048_577)
        try await check.run(ServiceFixture(testbed, service))
    }
}
