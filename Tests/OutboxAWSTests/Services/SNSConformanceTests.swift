import Outbox
import OutboxTesting
import Synchronization
import Testing

@testable import OutboxAWS

// Each check has a topic of its own, and the queue behind it.
@Suite(.serialized, .timeLimit(.minutes(10))) struct SNSConformanceTests {
    private static let server = SharedTestbed(.ministack)

    @Test(.timeLimit(.minutes(5)), arguments: TransportConformance.checks)
    func conforms(_ check: TransportConformance.Check) async throws {
        try await check.run(try await Fixture())
    }

    private final class Fixture: TransportFixture {
        private let testbed: AWSTestbed
        private let name: String
        private let topic: MessageTemplate
        private let arrived = Mutex<[ReceivedMessage]>([])

        init() async throws {
            let (testbed, name) = try await SNSConformanceTests.server.next()
            self.testbed = testbed
            self.name = "\(name).fifo"
            self.topic = try MessageTemplate(try await testbed.makeTopic(self.name))
        }

        func makeTransport() throws -> any Transport {
            try self.testbed.topic(self.topic) {
                $0.encoding = .envelope
                $0.maximumMessageSize = 1_048_576
            }
        }

        func received() async throws -> [ReceivedMessage] {
            let new = try await self.testbed.drain(self.name).map { try EnvelopeReader($0.body).received }
            return self.arrived.withLock { arrived in
                arrived += new
                return arrived
            }
        }

        /// The service takes 256 KiB for a topic whose limit was not raised.
        func refused(_ message: NewMessage) -> NewMessage {
            var message = message
            message.headers["padding"] = String(repeating: "x", count: 270_000)
            return message
        }

        /// An envelope has it in Base64.
        var longPayloadLength: Int { 150_000 }
        var oversizedPayload: [UInt8]? { Array(repeating: 0x61, count: 1_048_577) }
        var reconnects: Int { 200 }

        /// The service is a program in Python, which other tests may keep from running.
        var patience: Duration { .seconds(120) }

        func cutConnections() async throws { try await self.testbed.cut() }
        func stop() async throws { try await self.testbed.stop() }
        func start() async throws { try await self.testbed.start() }
    }
}
