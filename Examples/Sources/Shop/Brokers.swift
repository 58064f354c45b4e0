import Outbox
import OutboxAMQP
import OutboxKafka
import OutboxPostgres

/// A relay whose destinations are brokers.
@MainActor
func relayToBrokers() throws -> Relay {
    let orders = try AMQPTransport("amqp://rabbit-1,rabbit-2/shop?exchange=orders&type=topic&routing_key={route}")
    let events = try KafkaTransport("kafka://kafka-1:9092,kafka-2:9092?topic=events")

    let relay = Relay(
        postgres: postgres,
        routes: [
            "orders": .transport(orders),
            "events": .transport(events),
        ],
        logger: logger)
    return relay
}
