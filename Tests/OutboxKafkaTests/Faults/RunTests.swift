import BrokerTesting
import Outbox
import OutboxKafka
import Testing

/// A transport is run, once.
@Suite(.timeLimit(.minutes(2))) struct RunTests {
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
