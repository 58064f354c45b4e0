import Foundation
import Outbox
import OutboxAMQP
import OutboxTestServers
import RabbitMQMailbox

/// The event bus of the demonstration, where it is a RabbitMQ: what is published to it, and a consumer.
struct DemoBus: Sendable {
    private static let queue = "orders of the shop"

    private struct Order: Decodable {
        let customer: Int
        let number: Int
    }

    let transport: AMQPTransport
    private let broker: EphemeralRabbitMQ
    private let mailbox: Mailbox
    private let ledger: DemoLedger

    /// Declares what is needed.
    init(_ broker: EphemeralRabbitMQ, ledger: DemoLedger) async throws {
        self.broker = broker
        self.ledger = ledger
        self.mailbox = Mailbox(port: broker.port)
        try await self.mailbox.declareExchange("shop", type: "topic")
        try await self.mailbox.declareQueue(Self.queue)
        try await self.mailbox.bind(Self.queue, to: "shop", key: "order.#")
        self.transport = try AMQPTransport("\(broker.url)?exchange=shop&type=topic", logger: .quiet)
    }

    /// Reads until it is cancelled. Its own connection is broken as well: then it tries again.
    func run() async {
        while !Task.isCancelled {
            try? await self.read()
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Reads what is there.
    func read() async throws {
        for mail in try await self.mailbox.takeAll(Self.queue) {
            guard let text = mail.messageID, let id = Int64(text) else {
                throw CommandFailure(.failure, "RabbitMQ has a message without the id of one")
            }
            guard self.ledger.arrived(id) else { continue }
            self.ledger.reached(id, .eventBus, isFirstAttempt: true)
            let order = try JSONDecoder().decode(Order.self, from: Data(mail.payload))
            self.ledger.taken(.eventBus, key: "customer-\(order.customer)", number: order.number)
        }
    }

    /// Has the broker close all connections, as an operator can.
    func breakConnections() async throws {
        _ = try await self.broker.rabbitmqctl("close_all_connections", "the demonstration")
    }
}
