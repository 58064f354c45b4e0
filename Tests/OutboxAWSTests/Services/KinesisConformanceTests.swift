import Outbox
import OutboxTesting
import Testing

@testable import OutboxAWS

// Each check has a stream of its own.
@Suite(.serialized, .timeLimit(.minutes(10))) struct KinesisConformanceTests {
    private static let server = SharedTestbed(.ministack)

    @Test(.timeLimit(.minutes(5)), arguments: TransportConformance.checks)
    func conforms(_ check: TransportConformance.Check) async throws {
        let (testbed, name) = try await Self.server.next()
        try await testbed.makeStream(name, shards: 3)
        let service = ServiceFixture.Service(
            transport: { try testbed.stream(try MessageTemplate(name)) { $0.content = .envelope } },
            arrivals: { try await testbed.records(name).map { try EnvelopeReader($0.data).received } },
            // The service takes records of 1 MiB from a stream whose limit was not raised.
            refused: ("padding", String(repeating: "x", count: 1_050_000)), oversized: 10_485_761)
        try await check.run(ServiceFixture(testbed, service))
    }
}
