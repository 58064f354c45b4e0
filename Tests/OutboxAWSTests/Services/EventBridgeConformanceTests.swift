import Outbox
import OutboxTesting
import Testing

@testable import OutboxAWS

// Each check has a bus of its own, and the queue that a rule sends its events to.
@Suite(.serialized, .timeLimit(.minutes(10))) struct EventBridgeConformanceTests {
    private static let server = SharedTestbed(.ministack)

    /// The service keeps no order; messages of a key that are sent one at a time are in order before it.
    @Test(.timeLimit(.minutes(5)), arguments: TransportConformance.checks)
    func conforms(_ check: TransportConformance.Check) async throws {
        let (testbed, name) = try await Self.server.next()
        try await testbed.makeBus(name)
        let service = ServiceFixture.Service(
            transport: { try testbed.bus(try MessageTemplate("{header.bus|\(name)}")) { $0.content = .envelope } },
            arrivals: { try await testbed.drain(name).map { try EventReader($0.body).received } },
            // The service takes no bus for which the ARN is none.
            refused: ("bus", "arn:nothing"), oversized: 1_000_001)
        try await check.run(ServiceFixture(testbed, service))
    }
}
