import CRdKafka
import KafkaTesting
import Outbox
import TestSupport
import Testing

@testable import OutboxKafka

/// A transport is tried without a message.
@Suite(.timeLimit(.minutes(5))) struct CheckTests {
    private func check(
        _ cluster: MockKafkaCluster, _ topic: MessageTemplate, _ change: (inout KafkaConfiguration) -> Void = { _ in }
    ) async throws -> TransportHealth {
        var health: TransportHealth?
        try await TransportUnderTest.with(
            cluster,
            {
                $0.topic = topic
                change(&$0)
            }
        ) { health = await $0.check() }
        return try #require(health)
    }

    @Test func aTopicThatIsThereIsFoundAndNothingIsProduced() async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events")
        #expect(try await self.check(cluster, "events") == .up)
        #expect(try await self.check(cluster, "{route}") == .up, "which topic it is, a message would say")
        #expect(await cluster.records(of: "events").isEmpty)
    }

    @Test func aTopicThatIsRefusedIsNamed() async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events")
        cluster.fail("events", with: RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        let health = try await self.check(cluster, "events")
        #expect(!health.isUp && health.reason?.contains("“events”") == true, "\(health)")
    }

    @Test func brokersThatAreNotThereAreTold() async throws {
        let cluster = MockKafkaCluster()
        cluster.setAll(up: false)
        let health = try await self.check(cluster, "events")
        #expect(!health.isUp && health.reason?.contains("no broker within reach") == true, "\(health)")
    }

    /// These brokers create whatever topic they are asked for.
    @Test func theInquiryCreatesNoTopic() async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events")
        let configuration = KafkaConfiguration(brokers: cluster.bootstrapServers.split(separator: ",").map(String.init))
        func inquiry(_ topic: String) throws -> TopicInquiry {
            TopicInquiry(
                topic: topic, brokers: cluster.bootstrapServers, properties: try ProducerProperties(configuration),
                patience: .seconds(20))
        }
        for _ in 0..<2 {
            let missing = try await inquiry("missing")()
            #expect(!missing.isUp && missing.reason?.contains("“missing”") == true, "\(missing)")
        }
        #expect(try await inquiry("events")() == .up)
    }
}
