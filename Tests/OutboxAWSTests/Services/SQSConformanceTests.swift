import Outbox
import OutboxTesting
import Synchronization
import Testing

@testable import OutboxAWS

// Each check has a queue of its own.
@Suite(.serialized, .timeLimit(.minutes(10))) struct SQSConformanceTests {
    private static let server = SharedTestbed(.ministack)

    @Test(.timeLimit(.minutes(5)), arguments: TransportConformance.checks)
    func conforms(_ check: TransportConformance.Check) async throws {
        try await check.run(try await Fixture(isFIFO: true))
    }

    /// A queue that keeps no order has none broken either while messages of a key are sent one at a time.
    @Test(.timeLimit(.minutes(5)), arguments: TransportConformance.checks)
    func conformsWithAStandardQueue(_ check: TransportConformance.Check) async throws {
        try await check.run(try await Fixture(isFIFO: false))
    }

    private final class Fixture: TransportFixture {
        private let testbed: AWSTestbed
        private let name: String
        private let arrived = Mutex<[ReceivedMessage]>([])

        init(isFIFO: Bool) async throws {
            let (testbed, name) = try await SQSConformanceTests.server.next()
            self.testbed = testbed
            self.name = isFIFO ? "\(name).fifo" : name
            try await self.testbed.makeQueue(self.name, ["MaximumMessageSize": "600000"])
        }

        func makeTransport() throws -> any Transport {
            let name = self.name
            return try self.testbed.queue(try MessageTemplate(name)) { $0.content.encoding = .envelope }
        }

        func received() async throws -> [ReceivedMessage] {
            let new = try await self.testbed.drain(self.name).map { try EnvelopeReader($0.body).received }
            return self.arrived.withLock { arrived in
                arrived += new
                return arrived
            }
        }

        /// The queue takes less than the service.
        func refused(_ message: NewMessage) -> NewMessage {
            var message = message
            message.headers["padding"] = String(repeating: "x", count: 650_000)
            return message
        }

        var oversizedPayload: [UInt8]? { Array(repeating: 0x61, count: 1_048_577) }
        var reconnects: Int { 200 }

        /// The service is a program in Python, which other tests may keep from running.
        var patience: Duration { .seconds(120) }

        func cutConnections() async throws { try await self.testbed.cut() }
        func stop() async throws { try await self.testbed.stop() }
        func start() async throws { try await self.testbed.start() }
    }
}
