import CRdKafka
import KafkaTesting
import Outbox
import OutboxKafka
import OutboxTesting
import TestSupport
import Testing

/// A transport is run, once.
@Suite(.timeLimit(.minutes(2))) struct RunTests {
    /// Before the first message, and with what has changed.
    @Test func whyThereAreNoBrokersIsLoggedAtTheStart() async throws {
        let lines = LogLines()
        let cluster = MockKafkaCluster(brokers: 1)
        cluster.setAll(up: false)
        var configuration = KafkaConfiguration(brokers: cluster.addresses, topic: "events")
        configuration.delivery.contactTimeout = .milliseconds(200)
        configuration.properties = ["reconnect.backoff.ms": "1", "reconnect.backoff.max.ms": "50"]
        let transport = try KafkaTransport(configuration, logger: lines.logger)
        try await TransportUnderTest.with(transport) { transport in
            try await eventually("the reason is logged") { lines.warnings.contains { $0.contains("Connection refused") } }
            // Many more attempts fail for the same reason.
            for _ in 0..<10 { _ = try await transport.deliver(MessageBatch([.numbered(1)])) }
            #expect(transport.health.reason?.contains("Connection refused") == true)
            cluster.setAll(up: true)
            try await eventually("it is up") { transport.health.isUp }
            try await eventually("and that is said") {
                lines.all.contains { $0.hasPrefix("notice Connected to Kafka") }
            }
        }
        #expect(lines.warnings.count <= 2, "\(lines.warnings)")
    }

    /// By the transport, and not by its relay too.
    @Test func aRelayWithoutBrokersSaysItOnce() async throws {
        let lines = LogLines()
        var configuration = KafkaConfiguration(brokers: ["127.0.0.1:1"], topic: "events")
        configuration.delivery.contactTimeout = .milliseconds(200)
        let transport = try KafkaTransport(configuration, logger: lines.logger)
        let outbox = InMemoryOutbox()
        let relay = Relay(store: outbox, routes: ["events": .transport(transport)], logger: lines.logger)
        let events = relay.events
        async let run: Void = relay.run()
        try await eventually("the reason is logged") { lines.warnings.contains { $0.contains("Connection refused") } }
        // Now a message finds out, which is another thing to say.
        let before = lines.warnings.count
        try outbox.enqueue(.numbered(1))
        for await event in events {
            if case .opened = event { break }
        }
        relay.stop()
        try await run
        let said = lines.warnings.filter { !$0.contains("outbox.destination") }
        #expect(before == 1 && said.count == 1, "\(lines.warnings)")
    }

    @Test func aMissingTopicIsLoggedAtTheStart() async throws {
        let lines = LogLines()
        let cluster = MockKafkaCluster(brokers: 1)
        cluster.fail("events", with: RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        var configuration = KafkaConfiguration(brokers: cluster.addresses, topic: "events")
        configuration.delivery.topicTimeout = .milliseconds(100)
        let transport = try KafkaTransport(configuration, logger: lines.logger)
        try await TransportUnderTest.with(transport) { transport in
            try await eventually("it is logged") {
                lines.warnings.contains { $0.contains("“events”") && $0.contains("Unknown topic") }
            }
            cluster.fail("events", with: RD_KAFKA_RESP_ERR_NO_ERROR)
            try await eventually("it may be there by the time of the first message") {
                try await transport.deliver(MessageBatch([.numbered(1)])).areDelivered
            }
        }
        #expect(lines.warnings.count == 1, "\(lines.warnings)")
    }

    @Test func runningTwiceIsAnErrorThatEndsNoProcess() async throws {
        let cluster = MockKafkaCluster(brokers: 1)
        cluster.create("events", partitions: 1)
        let transport = try TransportUnderTest.make(cluster.bootstrapServers)
        try await TransportUnderTest.with(transport) { transport in
            // The first run has begun, or nothing would be delivered.
            let before = try await transport.deliver(MessageBatch([.numbered(1)]))
            #expect(before.areDelivered)
            let error = await #expect(throws: TransportConfigurationError.self) { try await transport.run() }
            #expect(error?.description.contains("once") == true)
            let after = try await transport.deliver(MessageBatch([.numbered(2)]))
            #expect(after.areDelivered, "the first run goes on")
        }
        await #expect(throws: TransportConfigurationError.self) { try await transport.run() }
    }
}
