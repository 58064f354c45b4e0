import Outbox
import OutboxTesting
import Testing

@testable import OutboxAWS

// Each check has a topic of its own, and the queue behind it.
@Suite(.serialized, .timeLimit(.minutes(10))) struct SNSConformanceTests {
    private static let server = SharedTestbed(.ministack)

    @Test(.timeLimit(.minutes(5)), arguments: TransportConformance.checks)
    func conforms(_ check: TransportConformance.Check) async throws {
        let (testbed, number) = try await Self.server.next()
        let name = "\(number).fifo"
        let topic = try MessageTemplate(try await testbed.makeTopic(name))
        let service = ServiceFixture.Service(
            transport: {
                try testbed.topic(topic) {
                    $0.encoding = .envelope
                    $0.maximumMessageSize = 1_048_576
                }
            },
            arrivals: { try await testbed.drain(name).map { try EnvelopeReader($0.body).received } },
            // The service takes 256 KiB for a topic whose limit was not raised; an envelope has a payload in Base64.
            refused: ("padding", String(repeating: "x", count: 270_000)), oversized: 1_048_577, long: 150_000)
        try await check.run(ServiceFixture(testbed, service))
    }
}
