import Outbox
import OutboxAMQP

extension Destination {
    static let eventBus: Destination = "event-bus"
}

/// A topic exchange that is declared, with a durable queue for a part of what is published to it.
func orders(at port: Int) -> AMQPConfiguration {
    var configuration = AMQPConfiguration(hosts: [.init("127.0.0.1", port: port)])
    configuration.exchange = .declared("orders", type: "topic")
    configuration.queues = [
        .init("warehouse", arguments: ["x-queue-type": "quorum"], bindingKeys: ["order.*"])
    ]
    configuration.publishing.contentType = "text/plain"
    return configuration
}

/// A cluster, over TLS, with a certificate instead of a password.
func cluster() throws -> AMQPTransport {
    var configuration = try AMQPConfiguration(url: "amqps://rabbit-1,rabbit-2,rabbit-3/shop?exchange=orders")
    configuration.tls?.caFile = "/etc/shop/authority.pem"
    configuration.tls?.certificateFile = "/etc/shop/relay.pem"
    configuration.tls?.keyFile = "/etc/shop/relay-key.pem"
    configuration.credentials = .certificate
    return try AMQPTransport(configuration)
}

/// What a single message overrides goes into its headers.
func urgent() -> NewMessage {
    NewMessage(
        to: .eventBus, route: "order.placed", key: "customer-1",
        headers: ["content-type": "application/json", "amqp-priority": "9", "amqp-expiration": "60000"],
        text: "{}")
}
