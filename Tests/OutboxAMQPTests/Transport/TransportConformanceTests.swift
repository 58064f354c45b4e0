import Outbox
import OutboxAMQP
import OutboxTesting
import RabbitMQMailbox
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(10))) struct AMQPConformanceTests {
    @Test(.timeLimit(.minutes(5)), arguments: TransportConformance.checks)
    func conforms(_ check: TransportConformance.Check) async throws {
        try await BrokerScope.with { scope in
            try await check.run(try await RabbitMQFixture(scope))
        }
    }
}

private final class RabbitMQFixture: TransportFixture {
    private static let largest = 1_000_000

    private let scope: BrokerScope
    private let mails = Mutex<[Mail]>([])

    init(_ scope: BrokerScope) async throws {
        self.scope = scope
        try await scope.mailbox.declareQueue(scope.name)
    }

    func makeTransport() async throws -> any Transport {
        try self.scope.transport { $0.publishing.maximumMessageSize = Self.largest }
    }

    func received() async throws -> [ReceivedMessage] {
        let new = try await self.scope.arrived()
        return self.mails.withLock { mails in
            mails += new
            return mails.map { ReceivedMessage(payload: $0.payload, headers: $0.headers) }
        }
    }

    func refused(_ message: NewMessage) -> NewMessage {
        var message = message
        message.headers["amqp-routing-key"] = "nobody"
        return message
    }

    var oversizedPayload: [UInt8]? { Array(repeating: 1, count: Self.largest + 1) }

    func cutConnections() async throws { await self.scope.proxy.cut() }
    func stop() async throws { await self.scope.proxy.close() }
    func start() async throws { await self.scope.proxy.open() }
}
