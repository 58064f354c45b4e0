import CRdKafka
import KafkaTesting
import Logging
import Outbox
import OutboxKafka
import OutboxTesting
import TestSupport
import Testing

/// Topics that take nothing: an outage where every message of the destination goes there, else the affair of those that do.
@Suite(.timeLimit(.minutes(5))) struct TopicTests {
    private func withTopic(
        _ topic: MessageTemplate, _ cluster: MockKafkaCluster, _ body: (KafkaTransport) async throws -> Void
    ) async throws {
        try await TransportUnderTest.with(
            cluster,
            {
                $0.topic = topic
                $0.delivery.topicTimeout = .milliseconds(200)
            }, body)
    }

    @Test(
        arguments: [
            RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
        ], ["missing", "{destination}"])
    func aTopicOfAllMessagesIsAnOutage(_ code: rd_kafka_resp_err_t, _ topic: String) async throws {
        let cluster = MockKafkaCluster()
        cluster.create("other")
        cluster.fail("missing", with: code)
        try await self.withTopic(MessageTemplate(topic), cluster) { transport in
            var messages = (0..<10).map { NewMessage(to: "missing", key: "k\($0 % 3)", text: "\($0)") }
            messages.append(NewMessage(to: "missing", key: "own", headers: ["kafka-topic": "other"], text: "10"))
            let outcomes = try await transport.deliver(MessageBatch(messages))
            #expect(outcomes[..<10].allSatisfy { $0.isUnavailable || $0 == .behind }, "\(outcomes)")
            #expect(outcomes[..<3].allSatisfy { $0.isUnavailable && $0.reason?.contains("“missing”") == true })
            #expect(outcomes[10].isDelivered)
            let own = NewMessage(to: "missing", headers: ["kafka-topic": "missing"], text: "11")
            let outcome = try await transport.deliver(MessageBatch([own]))[0]
            #expect(outcome.isRetry, "it names the topic itself")
        }
    }

    @Test(arguments: [
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP,
    ])
    func whatNoMessageWouldEscapeIsAnOutage(_ code: rd_kafka_resp_err_t) async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events", partitions: 1)
        try await self.withTopic("events", cluster) { transport in
            cluster.push([code])
            let messages = (0..<5).map { NewMessage.numbered($0, key: "k") }
            let outcomes = try await transport.deliver(MessageBatch(messages))
            #expect(outcomes[0].isUnavailable, "\(outcomes)")
            #expect(outcomes[1...].allSatisfy { $0.isUnavailable || $0 == .behind }, "\(outcomes)")
            let again = try await transport.deliver(MessageBatch(messages))
            #expect(again.areDelivered, "\(again)")
        }
    }

    /// A topic that takes nothing is as much an outage while another topic of the same transport takes everything.
    @Test func aTopicWithoutLeadersIsAnOutageWhileAnotherOneLives() async throws {
        let cluster = MockKafkaCluster()
        cluster.create("dead", partitions: 1)
        cluster.create("alive", partitions: 1)
        cluster.lead("dead", partition: 0, by: -1)
        try await TransportUnderTest.with(
            cluster,
            {
                $0.topic = "{destination}"
                $0.delivery.timeout = .seconds(1)
            }
        ) { transport in
            try await withThrowingTaskGroup(of: [Outcome]?.self) { group in
                group.addTask {
                    try await transport.deliver(MessageBatch([NewMessage(to: "dead", key: "k", text: "1")]))
                }
                group.addTask {
                    while !Task.isCancelled {
                        _ = try? await transport.deliver(MessageBatch([NewMessage(to: "alive", key: "k", text: "2")]))
                    }
                    return nil
                }
                let outcomes = try await group.next() ?? nil
                #expect(outcomes?.allSatisfy(\.isUnavailable) == true, "\(String(describing: outcomes))")
                group.cancelAll()
            }
        }
    }

    /// However long a partition has no leader, it costs none of its messages an attempt, and those of others pass.
    @Test(.timeLimit(.minutes(1))) func aPartitionWithoutALeaderMakesNoDeadLetters() async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events")
        cluster.lead("events", partition: 1, by: -1)
        let transport = try TransportUnderTest.make(cluster.bootstrapServers) {
            $0.topic = "events"
            $0.delivery.timeout = .seconds(1)
        }
        let outbox = InMemoryOutbox()
        for number in 0..<60 { try outbox.enqueue(.numbered(number, key: "k\(number % 20)")) }
        var logger = Logger(label: "outbox.test")
        logger.logLevel = .critical
        let relay = Relay(
            store: outbox,
            routes: [
                "events": .transport(transport, settings: DeliverySettings(retry: .constant(.zero, maximumAttempts: 2)))
            ], logger: logger)
        let events = relay.events(bufferingNewest: 10_000)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await relay.run() }
            var delivered = 0
            var deferred: [Int64: Int] = [:]
            for await event in events {
                switch event {
                case .delivered(_, _, let attempt):
                    delivered += 1
                    #expect(attempt == 1)
                case .retried(let id, _, _, _, _):
                    deferred[id, default: 0] += 1
                    // More often than there are attempts.
                    if deferred[id] == 4 { cluster.lead("events", partition: 1, by: 2) }
                case .deadLettered: Issue.record("a message is dead")
                case .opened: Issue.record("a partition is not the destination")
                default: break
                }
                if delivered == 60 { break }
            }
            relay.stop()
            try await group.waitForAll()
            #expect(deferred.values.contains { $0 >= 4 })
        }
        #expect(outbox.deadLetters().isEmpty && outbox.pending().isEmpty && outbox.deferred().isEmpty)
    }

    /// What keeps every producer from being one is said.
    @Test func aClusterThatGivesNoProducerItsNumberSaysWhy() async throws {
        let cluster = MockKafkaCluster(brokers: 1)
        cluster.create("events", partitions: 1)
        let code = RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED
        // More than are asked for while it is looked at.
        cluster.push(Array(repeating: code, count: 100_000), for: .initialiseProducer)
        try await self.withTopic("events", cluster) { transport in
            let outcomes = try await transport.deliver(MessageBatch([.numbered(1)]))
            #expect(
                outcomes[0].isUnavailable && outcomes[0].reason?.contains("Cluster authorization failed") == true,
                "\(outcomes)")
            cluster.clear(.initialiseProducer)
            let again = try await transport.deliver(MessageBatch([.numbered(1)]))
            #expect(again.areDelivered, "\(again)")
        }
    }

    /// A partition is the message's own choice, or not.
    @Test func aPartitionThatIsNotThereIsItsMessagesAffair() async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events", partitions: 1)
        try await self.withTopic("events", cluster) { transport in
            let own = NewMessage(to: "events", headers: ["kafka-partition": "7"], text: "1")
            let outcomes = try await transport.deliver(MessageBatch([own, .numbered(2)]))
            #expect(outcomes[0].isRetry && outcomes[1].isDelivered, "\(outcomes)")
        }
    }

    @Test func aMissingTopicMakesNoDeadLetters() async throws {
        let cluster = MockKafkaCluster()
        cluster.fail("events", with: RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        let transport = try TransportUnderTest.make(cluster.bootstrapServers) {
            $0.topic = "events"
            $0.delivery.topicTimeout = .milliseconds(20)
            $0.properties["topic.metadata.refresh.interval.ms"] = "50"
        }
        let outbox = InMemoryOutbox()
        for number in 0..<30 { try outbox.enqueue(.numbered(number, key: "k\(number % 3)")) }
        var logger = Logger(label: "outbox.test")
        logger.logLevel = .critical
        let relay = Relay(
            store: outbox,
            routes: [
                "events": .transport(
                    transport,
                    settings: DeliverySettings(
                        retry: .constant(.milliseconds(1), maximumAttempts: 2),
                        breaker: .opening(initialDelay: .milliseconds(2), maximumDelay: .milliseconds(20))))
            ], logger: logger)
        let events = relay.events
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await relay.run() }
            var delivered = 0
            for await event in events {
                if case .opened(_, let reason, _) = event {
                    #expect(reason.contains("“events”"))
                    cluster.fail("events", with: RD_KAFKA_RESP_ERR_NO_ERROR)
                }
                if case .delivered = event { delivered += 1 }
                if case .deadLettered = event { Issue.record("a message is dead"); break }
                if delivered == 30 { break }
            }
            relay.stop()
            try await group.waitForAll()
        }
        #expect(outbox.deadLetters().isEmpty && outbox.pending().isEmpty)
    }
}
