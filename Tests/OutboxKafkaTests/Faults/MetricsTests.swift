import CoreMetrics
import KafkaTesting
import Logging
import MetricsTestKit
import Outbox
import OutboxKafka
import OutboxPostgres
import OutboxTestServers
import TestSupport
import Testing

/// What a relay between a Postgres and Kafka tells a metrics backend, librdkafka's statistics among it. In a process of its
/// own, because there is one backend for all of a process.
@Suite(.timeLimit(.minutes(5))) struct MetricsTests {
    @Test func outcomesAndStatisticsAreCounted() async {
        await #expect(processExitsWith: .success) {
            let metrics = TestMetrics()
            MetricsSystem.bootstrap(metrics)
            let cluster = MockKafkaCluster(brokers: 1)
            cluster.create("events")
            try await EphemeralPostgres.with { server in
                let postgres = try LibPQConfiguration(server.url)
                let connection = try await LibPQConnection.connect(postgres)
                try await OutboxMigrator().up(on: connection)
                let begin = ContinuousClock.now
                var messages = (0..<40).map { NewMessage.numbered($0, key: "k\($0 % 3)") }
                // Tried again until its attempts are used up; and rejected.
                messages.append(
                    NewMessage(to: "events", route: "events", headers: ["kafka-partition": "99"], text: "40"))
                messages.append(NewMessage(to: "events", route: "no topic", text: "41"))
                try await connection.withTransaction { transaction in
                    _ = try await PostgresOutbox().enqueue(messages, in: transaction)
                }
                await connection.close()
                let transport = try TransportUnderTest.make(cluster.bootstrapServers) {
                    $0.statisticsInterval = .milliseconds(20)
                }
                var logger = Logger(label: "outbox.test")
                logger.logLevel = .critical
                let relay = Relay(
                    postgres: postgres,
                    routes: [
                        "events": .transport(
                            transport, settings: DeliverySettings(retry: .constant(.zero, maximumAttempts: 3)))
                    ],
                    logger: logger)
                let events = relay.events
                let brokers = [("cluster", cluster.bootstrapServers)]
                let names = [
                    "records_transmitted", "records_queued", "bytes_queued", "requests_retried", "brokers_connected",
                ]
                func figures() -> [Double?] {
                    names.map { try? metrics.expectGauge("outbox_kafka_\($0)", brokers).lastValue }
                }
                async let run: Void = relay.run()
                var left = messages.count
                for await event in events {
                    switch event {
                    case .delivered, .deadLettered: left -= 1
                    default: break
                    }
                    if left > 0 { continue }
                    try await eventually("the statistics say that all was sent, once") {
                        figures() == [40, 0, 0, 0, 1]
                    }
                    relay.stop()
                    break
                }
                try await run
                #expect(await cluster.records(of: "events").count == 40)

                let dimensions = [("destination", "events"), ("subscription", "main")]
                #expect(metrics.counterTotal(label: "outbox_messages_delivered_total", dimensions: dimensions) == 40)
                #expect(metrics.counterTotal(label: "outbox_messages_retried_total", dimensions: dimensions) == 2)
                #expect(metrics.counterTotal(label: "outbox_messages_dead_lettered_total", dimensions: dimensions) == 2)
                #expect(metrics.counterTotal(label: "outbox_messages_parked_total", dimensions: dimensions) == 0)
                let inFlight = try metrics.expectGauge("outbox_messages_in_flight", dimensions)
                #expect(inFlight.values.max() == 42 && inFlight.lastValue == 0)
                #expect(try metrics.expectGauge("outbox_destination_down", dimensions).values == [0])
                let lags = try metrics.expectTimer("outbox_read_lag", dimensions).values
                let elapsed = ContinuousClock.now - begin
                #expect(!lags.isEmpty && lags.allSatisfy { $0 >= 0 && .nanoseconds($0) <= elapsed })
                #expect(try !metrics.expectTimer("outbox_kafka_round_trip", brokers).values.isEmpty)
            }
        }
    }
}
