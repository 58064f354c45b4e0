import CRdKafka
import KafkaTesting
import Outbox
import OutboxKafka
import TestSupport
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What goes wrong at brokers, and what becomes of messages.
@Suite(.timeLimit(.minutes(10))) struct FaultTests {
    private func numbers(_ cluster: MockKafkaCluster, partitions: Int = 4) async -> [Int] {
        await cluster.records(of: "events", partitions: partitions).compactMap { record in
            Int(String(decoding: record.value ?? [], as: UTF8.self))
        }
    }

    private func batch(_ range: Range<Int>, keys: Int = 5) -> MessageBatch {
        MessageBatch(range.map { .numbered($0, key: "k\($0 % keys)") })
    }

    private func delivers(_ batch: MessageBatch, with transport: KafkaTransport) async throws -> Bool {
        try await transport.deliver(batch).areDelivered
    }

    @Test(arguments: [true, false])
    func aRecordIsWhatTheMessageWas(isInPlace: Bool) async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events", partitions: 1)
        let begin = Self.millisecondsNow
        let messages = [
            NewMessage(
                to: "events", route: "events", key: "ключ", headers: ["b": "ö", "a": ""], payload: [0, 1, 255]),
            NewMessage(to: "events", route: "events", payload: []),
        ]
        try await TransportUnderTest.with(cluster) { transport in
            let outcomes = try await transport.deliver(MessageBatch(messages, firstID: 41, isInPlace: isInPlace))
            #expect(outcomes == [.delivered, .delivered])
        }
        let records = await cluster.records(of: "events", partitions: 1)
        try #require(records.count == 2)
        #expect(records[0].key == Array("ключ".utf8))
        #expect(records[0].value == [0, 1, 255])
        #expect(records.allSatisfy { (begin...Self.millisecondsNow).contains($0.timestamp) })
        #expect(
            records[0].headers == [
                .init(name: "a", value: []), .init(name: "b", value: Array("ö".utf8)),
                .init(name: "outbox-id", value: Array("41".utf8)),
                .init(name: "outbox-enqueued-at", value: Array("1700000000123".utf8)),
            ])
        #expect(records[1].key == nil)
        #expect(records[1].value == [], "what is empty is no null")
    }

    private static var millisecondsNow: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    @Test func theTimestampCanBeThatOfEnqueueing() async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events", partitions: 1)
        let change: (inout KafkaConfiguration) -> Void = { configuration in
            configuration.record = .init(idHeader: nil, enqueuedAtHeader: nil, timestamp: .enqueued)
        }
        try await TransportUnderTest.with(cluster, change) { transport in
            let isDelivered = try await self.delivers(self.batch(0..<3), with: transport)
            #expect(isDelivered)
        }
        let records = await cluster.records(of: "events", partitions: 1)
        #expect(records.map(\.timestamp) == [1_700_000_000_123, 1_700_000_000_123, 1_700_000_000_123])
        #expect(records.allSatisfy { $0.headers.isEmpty })
    }

    @Test(arguments: [
        RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
    ])
    func whatPassesIsRepeatedByLibrdkafka(_ code: rd_kafka_resp_err_t) async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events")
        try await TransportUnderTest.with(cluster) { transport in
            cluster.push([code, code])
            let outcomes = try await transport.deliver(self.batch(0..<100))
            #expect(outcomes.areDelivered, "\(outcomes.filter { !$0.isDelivered })")
        }
        #expect(Set(await self.numbers(cluster)) == Set(0..<100))
    }

    @Test(arguments: [
        RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
        RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
    ])
    func aProducerThatFailsForGoodIsReplaced(_ code: rd_kafka_resp_err_t) async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events", partitions: 1)
        try await TransportUnderTest.with(cluster) { transport in
            #expect(try await self.delivers(self.batch(0..<1), with: transport))
            cluster.push([code])
            let outcomes = try await transport.deliver(self.batch(1..<100))
            #expect(outcomes.areDelivered, "\(outcomes.filter { !$0.isDelivered })")
        }
        let numbers = await self.numbers(cluster, partitions: 1)
        #expect(Set(numbers) == Set(0..<100))
        #expect(numbers.count <= 200, "repeated are only those that were under way")
    }

    /// All of a batch in one request, however slow the machine is, and one request after the other.
    private func sendTogether(_ configuration: inout KafkaConfiguration) {
        configuration.properties["max.in.flight"] = "1"
        configuration.delivery.linger = .milliseconds(200)
    }

    @Test(arguments: [RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_RECORD])
    func neighboursOfARefusedRecordAreNotRejected(_ code: rd_kafka_resp_err_t) async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events", partitions: 1)
        try await TransportUnderTest.with(cluster, { self.sendTogether(&$0) }) { transport in
            // The first request as a whole; then, one record at a time, the first record.
            cluster.push([code, code])
            let outcomes = try await transport.deliver(self.batch(0..<50))
            #expect(outcomes.filter { $0.isRejection }.count == 1)
            #expect(outcomes.filter { $0.isDelivered }.count == 49)
            // Several in a request again.
            #expect(try await self.delivers(self.batch(100..<200), with: transport))
        }
        let numbers = await self.numbers(cluster, partitions: 1)
        #expect(numbers.count == 149)
        #expect(numbers == numbers.sorted())
    }

    @Test func aRequestThatIsTooLargeAsAWholeRejectsNothing() async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events", partitions: 1)
        try await TransportUnderTest.with(cluster, { self.sendTogether(&$0) }) { transport in
            cluster.push([RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE])
            let outcomes = try await transport.deliver(self.batch(0..<50))
            #expect(outcomes.areDelivered)
        }
        #expect(await self.numbers(cluster, partitions: 1) == Array(0..<50))
    }

    @Test func whatNoBrokerWillTakeIsRejectedAlone() async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events", partitions: 1)
        try await TransportUnderTest.with(cluster) { transport in
            let messages: [NewMessage] = [
                .numbered(1, key: "k"),
                NewMessage(to: "events", route: "events", key: "k", payload: Array(repeating: 0, count: 1_000_000)),
                NewMessage(to: "events", key: "k", text: "no topic"),
                NewMessage(to: "events", route: "a b", key: "k", text: "no name of a topic"),
                .numbered(2, key: "k"),
            ]
            let outcomes = try await transport.deliver(MessageBatch(messages))
            #expect(outcomes.map { $0.isRejection } == [false, true, true, true, false])
            #expect(outcomes[0].isDelivered && outcomes[4].isDelivered)
        }
        #expect(await self.numbers(cluster, partitions: 1) == [1, 2])
    }

    @Test(arguments: [RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION])
    func aTopicThatIsNotThereHoldsUpOnlyItself(_ code: rd_kafka_resp_err_t) async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events")
        cluster.fail("missing", with: code)
        try await TransportUnderTest.with(cluster, { $0.delivery.topicTimeout = .milliseconds(200) }) { transport in
            let messages: [NewMessage] = (0..<20).map {
                .numbered($0, key: "k\($0 % 4)", route: $0 == 5 ? "missing" : "events")
            }
            let outcomes = try await transport.deliver(MessageBatch(messages))
            guard case .retry(_, let reason) = outcomes[5].kind else {
                Issue.record("the outcome is \(outcomes[5])")
                return
            }
            #expect(reason.contains("“missing”"))
            for number in 0..<20 where number != 5 {
                let isBehind = number > 5 && number % 4 == 1
                #expect(outcomes[number] == (isBehind ? .behind : .delivered), "message \(number)")
            }
            #expect(transport.health.isUp)
        }
        #expect(Set(await self.numbers(cluster)) == Set(0..<20).subtracting([5, 9, 13, 17]))
    }

    @Test func whatFollowsARefusedRequestDoesNotPassIt() async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events", partitions: 1)
        let change: (inout KafkaConfiguration) -> Void = { configuration in
            // The mock cluster checks no sequence numbers, so nothing may be on the wire behind what it refuses.
            configuration.properties = ["max.in.flight": "1", "batch.num.messages": "10"]
        }
        try await TransportUnderTest.with(cluster, change) { transport in
            #expect(try await self.delivers(self.batch(0..<1), with: transport))
            cluster.push([RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED])
            let outcomes = try await transport.deliver(self.batch(1..<101, keys: 1))
            #expect(outcomes.contains { $0.isRetry })
            #expect(!outcomes.contains(.delivered), "all have one key, whose first message has failed")
            #expect(try await self.delivers(self.batch(1..<101, keys: 1), with: transport))
        }
        #expect(await self.numbers(cluster, partitions: 1) == Array(0..<101))
    }

    @Test func partitionsThatMoveLoseNothing() async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events", replicas: 3)
        try await TransportUnderTest.with(cluster) { transport in
            for round in 0..<20 {
                for partition in 0..<4 { cluster.lead("events", partition: partition, by: 1 + (round + partition) % 3) }
                let outcomes = try await transport.deliver(self.batch(round * 100..<round * 100 + 100))
                #expect(outcomes.areDelivered)
            }
        }
        #expect(Set(await self.numbers(cluster)) == Set(0..<2000))
    }

    @Test func aPartitionWithoutALeaderHoldsUpOnlyItsKeys() async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events")
        try await TransportUnderTest.with(cluster, { $0.delivery.timeout = .seconds(1) }) { transport in
            #expect(try await self.delivers(self.batch(0..<20, keys: 20), with: transport))
            cluster.lead("events", partition: 1, by: -1)
            let outcomes = try await transport.deliver(self.batch(20..<60, keys: 20))
            #expect(
                outcomes.contains { $0.isPostponed && $0.reason?.contains("the partition 1") == true }, "\(outcomes)")
            #expect(outcomes.contains { $0.isDelivered })
            #expect(outcomes.allSatisfy { $0.isDelivered || $0.isPostponed || $0 == .behind }, "\(outcomes)")
            cluster.lead("events", partition: 1, by: 2)
            try await eventually("all is delivered") {
                try await self.delivers(self.batch(20..<60, keys: 20), with: transport)
            }
        }
        #expect(Set(await self.numbers(cluster)) == Set(0..<60))
    }

    @Test func whereThereIsNoRoomABatchWaits() async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events")
        for broker in 1...3 { cluster.delay(broker, by: .milliseconds(20)) }
        try await TransportUnderTest.with(cluster, { $0.delivery.maximumInFlight = 10 }) { transport in
            try await withThrowingTaskGroup(of: [Outcome].self) { group in
                for number in 0..<3 {
                    group.addTask { try await transport.deliver(self.batch(number * 100..<number * 100 + 100)) }
                }
                for try await outcomes in group { #expect(outcomes.areDelivered) }
            }
        }
        #expect(await self.numbers(cluster).count == 300)
    }

    @Test func silenceEndsADelivery() async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events")
        try await TransportUnderTest.with(cluster, { $0.delivery.timeout = .seconds(1) }) { transport in
            #expect(try await self.delivers(self.batch(0..<1), with: transport))
            for broker in 1...3 { cluster.delay(broker, by: .seconds(100)) }
            let outcomes = try await transport.deliver(self.batch(1..<50))
            #expect(outcomes.allSatisfy { $0.isUnavailable || $0.isRetry || $0 == .behind })
            for broker in 1...3 { cluster.delay(broker, by: .zero) }
            try await eventually("it is delivered") {
                try await self.delivers(self.batch(1..<50), with: transport)
            }
        }
    }

    @Test func whatWasLentIsKeptAfterCancelling() async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events", partitions: 1)
        try await TransportUnderTest.with(cluster) { transport in
            #expect(try await self.delivers(self.batch(0..<1), with: transport))
            for broker in 1...3 { cluster.delay(broker, by: .milliseconds(100)) }
            var cancelled = 0
            for round in 0..<20 {
                let task = Task { try await transport.deliver(self.batch(round * 10..<round * 10 + 10)) }
                for _ in 0..<round { await Task.yield() }
                task.cancel()
                do {
                    // On a busy machine it may have come to its end before, one way or the other.
                    _ = try await task.value
                } catch is CancellationError {
                    cancelled += 1
                }
            }
            #expect(cancelled > 0)
            try await eventually("it delivers") {
                try await transport.deliver(self.batch(1000..<1001)).areDelivered
            }
        }
        // A payload that was freed too early would be no number.
        let records = await cluster.records(of: "events", partitions: 1)
        #expect(records.allSatisfy { Int(String(decoding: $0.value ?? [], as: UTF8.self)) != nil })
    }

    @Test func aThousandProducersLeaveNothingBehind() async throws {
        let cluster = MockKafkaCluster(brokers: 1)
        cluster.create("events", partitions: 1)
        try await TransportUnderTest.with(cluster) { transport in
            #expect(try await self.delivers(self.batch(0..<1), with: transport))
            let before = try ProcessResources.now()
            for round in 0..<1000 {
                cluster.push([RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER])
                #expect(try await self.delivers(self.batch(round..<round + 1), with: transport))
            }
            // Other tests of this process have files and threads of their own. What they have goes away, what leaks stays.
            try await eventually("files and threads are closed") {
                let after = try ProcessResources.now()
                return after.files - before.files < 250 && after.threads - before.threads < 250
            }
            let after = try ProcessResources.now()
            print("1000 producers: memory \(before.kilobytes) → \(after.kilobytes) kB")
        }
    }
}
