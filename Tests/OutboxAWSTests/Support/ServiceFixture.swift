import Outbox
import OutboxTesting
import Synchronization

@testable import OutboxAWS

/// What the conformance suite needs of one of the services, with a queue, stream, topic or bus of its own.
final class ServiceFixture: TransportFixture {
    /// In what the services differ.
    struct Service: Sendable {
        /// Makes a transport to it.
        let transport: @Sendable () throws -> any Transport
        /// What has arrived since this was last asked.
        let arrivals: @Sendable () async throws -> [ReceivedMessage]
        /// The header with which a message is refused.
        let refused: (name: String, value: String)
        /// How long a payload the transport itself refuses.
        let oversized: Int
        /// How long a payload it takes.
        var long = 300_000
    }

    private let testbed: AWSTestbed
    private let service: Service
    private let arrived = Mutex<[ReceivedMessage]>([])

    init(_ testbed: AWSTestbed, _ service: Service) {
        self.testbed = testbed
        self.service = service
    }

    func makeTransport() throws -> any Transport { try self.service.transport() }

    func received() async throws -> [ReceivedMessage] {
        let new = try await self.service.arrivals()
        return self.arrived.withLock { arrived in
            arrived += new
            return arrived
        }
    }

    func refused(_ message: NewMessage) -> NewMessage {
        var message = message
        message.headers[self.service.refused.name] = self.service.refused.value
        return message
    }

    var longPayloadLength: Int { self.service.long }
    var oversizedPayload: [UInt8]? { Array(repeating: 0x61, count: self.service.oversized) }
    var reconnects: Int { 200 }

    /// The services are programs in Python, which other tests may keep from running.
    var patience: Duration { .seconds(120) }

    func cutConnections() async throws { try await self.testbed.cut() }
    func stop() async throws { try await self.testbed.stop() }
    func start() async throws { try await self.testbed.start() }
}
