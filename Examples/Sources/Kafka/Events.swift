import Outbox
import OutboxKafka

extension Destination {
    static let events: Destination = "events"
}

/// A topic for each route, with the key of the message; compressed, over TLS, with a user.
func events(brokers: [String], password: String) throws -> KafkaTransport {
    var configuration = KafkaConfiguration(brokers: brokers, topic: "shop.{route|other}")
    configuration.security = .init(tls: .init(), sasl: .scramSHA512(user: "shop", password: password))
    configuration.statisticsInterval = .seconds(10)
    configuration.properties["compression.type"] = "lz4"
    return try KafkaTransport(configuration)
}

/// What a single message overrides goes into its headers.
func audited() -> NewMessage {
    NewMessage(to: .events, route: "order.placed", key: "customer-1", headers: ["kafka-topic": "audit"], text: "{}")
}
