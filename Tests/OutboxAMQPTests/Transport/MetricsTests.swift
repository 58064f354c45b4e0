import CoreMetrics
import Logging
import MetricsTestKit
import Outbox
import OutboxAMQP
import OutboxPostgres
import OutboxTestServers
import RabbitMQMailbox
import Testing

/// What a relay between a Postgres and a RabbitMQ tells a metrics backend. In a process of its own, because there is one
/// backend for all of a process.
@Suite(.timeLimit(.minutes(5))) struct MetricsTests {
    @Test func outcomesAreCounted() async {
        await #expect(processExitsWith: .success) {
            let metrics = TestMetrics()
            MetricsSystem.bootstrap(metrics)
            try await EphemeralPostgres.with { server in
                let postgres = try LibPQConfiguration(server.url)
                let connection = try await LibPQConnection.connect(postgres)
                try await OutboxMigrator().up(on: connection)
                let begin = ContinuousClock.now
                var messages = (0..<40).map { NewMessage.numbered($0, key: "k\($0 % 3)") }
                // Tried again until its attempts are used up; and rejected.
                messages.append(.numbered(40, route: "nobody"))
                messages.append(.numbered(41, headers: ["amqp-priority": "300"]))
                try await connection.withTransaction { transaction in
                    _ = try await PostgresOutbox().enqueue(messages, in: transaction)
                }
                await connection.close()
                try await BrokerScope.with { scope in
                    var logger = Logger(label: "outbox.test")
                    logger.logLevel = .critical
                    let relay = Relay(
                        postgres: postgres,
                        routes: [
                            "bus": .transport(
                                try scope.transport(),
                                settings: DeliverySettings(retry: .constant(.zero, maximumAttempts: 3)))
                        ], logger: logger)
                    let events = relay.events
                    async let run: Void = relay.run()
                    var left = messages.count
                    for await event in events {
                        switch event {
                        case .delivered, .deadLettered: left -= 1
                        default: break
                        }
                        if left == 0 { relay.stop() }
                    }
                    try await run
                    let arrived = try await scope.arrived()
                    #expect(arrived.count == 40)
                }
                let bus = [("destination", "bus"), ("subscription", "main")]
                #expect(metrics.counterTotal(label: "outbox_messages_delivered_total", dimensions: bus) == 40)
                #expect(metrics.counterTotal(label: "outbox_messages_retried_total", dimensions: bus) == 2)
                #expect(metrics.counterTotal(label: "outbox_messages_dead_lettered_total", dimensions: bus) == 2)
                #expect(metrics.counterTotal(label: "outbox_messages_parked_total", dimensions: bus) == 0)
                let inFlight = try metrics.expectGauge("outbox_messages_in_flight", bus)
                #expect(inFlight.values.max() == 42 && inFlight.lastValue == 0)
                #expect(try metrics.expectGauge("outbox_destination_down", bus).values == [0])
                let lags = try metrics.expectTimer("outbox_read_lag", bus).values
                let elapsed = ContinuousClock.now - begin
                #expect(!lags.isEmpty && lags.allSatisfy { $0 >= 0 && .nanoseconds($0) <= elapsed })
            }
        }
    }
}
