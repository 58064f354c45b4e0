import Outbox
import OutboxTesting
import Synchronization
import Testing

@testable import OutboxAWS

// Each check has a stream of its own.
@Suite(.serialized, .timeLimit(.minutes(10))) struct KinesisConformanceTests {
    private static let server = SharedTestbed(.ministack)

    @Test(.timeLimit(.minutes(5)), arguments: TransportConformance.checks)
    func conforms(_ check: TransportConformance.Check) async throws {
        try await check.run(try await Fixture())
    }

    private final class Fixture: TransportFixture {
        private let testbed: AWSTestbed
        private let name: String
        private let arrived = Mutex<[ReceivedMessage]>([])

        init() async throws {
            (self.testbed, self.name) = try await KinesisConformanceTests.server.next()
            try await self.testbed.makeStream(self.name, shards: 3)
        }

        func makeTransport() throws -> any Transport {
            try self.testbed.stream(try MessageTemplate(self.name)) { $0.content = .envelope }
        }

        func received() async throws -> [ReceivedMessage] {
            let new = try await self.testbed.records(self.name).map { try EnvelopeReader($0.data).received }
            return self.arrived.withLock { arrived in
                arrived += new
                return arrived
            }
        }

        /// The service takes records of 1 MiB from a stream whose limit was not raised.
        func refused(_ message: NewMessage) -> NewMessage {
            var message = message
            message.headers["padding"] = String(repeating: "x", count: 1_050_000)
            return message
        }

        var oversizedPayload: [UInt8]? { Array(repeating: 0x61, count: 10_485_761) }
        var reconnects: Int { 200 }

        /// The service is a program in Python, which other tests may keep from running.
        var patience: Duration { .seconds(120) }

        func cutConnections() async throws { try await self.testbed.cut() }
        func stop() async throws { try await self.testbed.stop() }
        func start() async throws { try await self.testbed.start() }
    }
}
