import Foundation
import Outbox
import OutboxTesting
import Synchronization
import Testing

@testable import OutboxAWS

// Each check has a bus of its own, and the queue that a rule sends its events to.
@Suite(.serialized, .timeLimit(.minutes(10))) struct EventBridgeConformanceTests {
    private static let server = SharedTestbed(.ministack)

    /// The service keeps no order; messages of a key that are sent one at a time are in order before it.
    @Test(.timeLimit(.minutes(5)), arguments: TransportConformance.checks)
    func conforms(_ check: TransportConformance.Check) async throws {
        try await check.run(try await Fixture())
    }

    private final class Fixture: TransportFixture {
        private let testbed: AWSTestbed
        private let name: String
        private let arrived = Mutex<[ReceivedMessage]>([])

        init() async throws {
            (self.testbed, self.name) = try await EventBridgeConformanceTests.server.next()
            try await self.testbed.makeBus(self.name)
        }

        func makeTransport() throws -> any Transport {
            try self.testbed.bus(try MessageTemplate("{header.bus|\(self.name)}")) { $0.content = .envelope }
        }

        func received() async throws -> [ReceivedMessage] {
            let new = try await self.testbed.drain(self.name).map { try EventReader($0.body).received }
            return self.arrived.withLock { arrived in
                arrived += new
                return arrived
            }
        }

        /// The service takes no bus for which the ARN is none.
        func refused(_ message: NewMessage) -> NewMessage {
            var message = message
            message.headers["bus"] = "arn:nothing"
            return message
        }

        var oversizedPayload: [UInt8]? { Array(repeating: 0x61, count: 1_000_001) }
        var reconnects: Int { 200 }

        /// The service is a program in Python, which other tests may keep from running.
        var patience: Duration { .seconds(120) }

        func cutConnections() async throws { try await self.testbed.cut() }
        func stop() async throws { try await self.testbed.stop() }
        func start() async throws { try await self.testbed.start() }
    }
}
