import Logging
import Outbox
import OutboxAMQP
import OutboxTesting
import RabbitMQMailbox
import Synchronization

/// A part of a broker that one test has for itself: an exchange, a queue bound to it, and a way to the broker that can be cut.
final class BrokerScope: Sendable {
    let name: String
    let broker: EphemeralRabbitMQ
    let proxy: TCPProxy
    let mailbox: Mailbox

    private static let count = Atomic(0)

    init(_ broker: EphemeralRabbitMQ) throws {
        self.name = "test-\(Self.count.add(1, ordering: .relaxed).newValue)"
        self.broker = broker
        self.proxy = try TCPProxy(to: broker.port)
        self.mailbox = Mailbox(port: broker.port)
    }

    /// Runs a closure with a part of the shared broker.
    static func with(_ body: (BrokerScope) async throws -> Void) async throws {
        try await self.with(TestBroker.shared, body)
    }

    static func with(_ broker: EphemeralRabbitMQ, _ body: (BrokerScope) async throws -> Void) async throws {
        let scope = try BrokerScope(broker)
        do {
            try await body(scope)
        } catch {
            await scope.proxy.end()
            throw error
        }
        await scope.proxy.end()
    }

    /// A transport that publishes to the exchange, with the route as key, through the proxy.
    func configuration(_ change: (inout AMQPConfiguration) -> Void = { _ in }) -> AMQPConfiguration {
        var configuration = AMQPConfiguration(
            hosts: [.init("127.0.0.1", port: self.proxy.port)],
            exchange: .declared(self.name, type: "direct"),
            queues: [.init(self.name, bindingKeys: ["orders"])])
        configuration.connection.initialDelay = .milliseconds(5)
        configuration.connection.maximumDelay = .milliseconds(100)
        change(&configuration)
        return configuration
    }

    func transport(_ change: (inout AMQPConfiguration) -> Void = { _ in }) throws -> AMQPTransport {
        var logger = Logger(label: "outbox.test")
        logger.logLevel = .critical
        return try AMQPTransport(self.configuration(change), logger: logger)
    }

    /// Runs a closure with a transport that runs, and closes it.
    func withTransport(
        _ change: (inout AMQPConfiguration) -> Void = { _ in }, _ body: (AMQPTransport) async throws -> Void
    ) async throws {
        try await self.run(self.transport(change), body)
    }

    func run(_ transport: AMQPTransport, _ body: (AMQPTransport) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await transport.run() }
            defer { group.cancelAll() }
            try await body(transport)
            await transport.close()
            try await group.waitForAll()
        }
    }

    /// What is in the queue.
    func arrived() async throws -> [Mail] { try await self.mailbox.takeAll(self.name) }
}

extension NewMessage {
    /// A message to the queue of the test, whose payload begins with a number and a space.
    static func numbered(
        _ number: Int, key: String? = nil, route: String? = "orders", headers: [String: String] = [:]
    ) -> NewMessage {
        NewMessage(to: "bus", route: route, key: key, headers: headers, text: "\(number) of many")
    }
}

extension AMQPTransport {
    func deliver(_ messages: [NewMessage], isOrderedByKey: Bool = true) async throws -> [Outcome] {
        try await self.deliver(MessageBatch(messages, isOrderedByKey: isOrderedByKey))
    }
}
