import CRdKafka
import BrokerTesting
import Logging
import Outbox
import OutboxKafka
import OutboxTesting
import Synchronization
import Testing

/// A relay that delivers to brokers which fail in every way.
@Suite struct RelayTests {
    private final class Settled: Sendable {
        let count = Atomic<Int>(0)
    }

    @Test func nothingIsLostAndKeysKeepTheirOrder() async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events", replicas: 3)
        let outbox = InMemoryOutbox()
        let count = 4000
        for number in 0..<count { try outbox.enqueue(.numbered(number, key: "k\(number % 23)")) }
        let transport = try TransportUnderTest.make(cluster.bootstrapServers) { configuration in
            configuration.delivery.contactTimeout = .milliseconds(50)
            configuration.delivery.timeout = .seconds(5)
            // The mock cluster checks no sequence numbers, so nothing may be on the wire behind what it refuses. For the same reason
            // no partition gets another leader here: the new one would take what the old one had refused the beginning of.
            configuration.properties["max.in.flight"] = "1"
            configuration.properties["batch.num.messages"] = "20"
        }
        var logger = Logger(label: "outbox.test")
        logger.logLevel = .critical
        let relay = Relay(
            store: outbox,
            routes: [
                "events": .transport(
                    transport, maximumCount: 100,
                    retry: .exponential(
                        maximumAttempts: 1000, initialDelay: .milliseconds(1), maximumDelay: .milliseconds(5)),
                    breaker: .opening(initialDelay: .milliseconds(1), maximumDelay: .milliseconds(5)))
            ], logger: logger)
        let events = relay.events(bufferingNewest: 100_000)
        let settled = Settled()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await relay.run() }
            group.addTask {
                for await event in events {
                    switch event {
                    case .delivered, .deadLettered: settled.count.add(1, ordering: .relaxed)
                    default: continue
                    }
                    if settled.count.load(ordering: .relaxed) == count { break }
                }
                relay.stop()
            }
            group.addTask {
                let errors: [rd_kafka_resp_err_t] = [
                    RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                    RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                    RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
                ]
                for round in 0..<14 {
                    let target = count * round / 16
                    try await eventually("\(target) are delivered") {
                        settled.count.load(ordering: .relaxed) >= target
                    }
                    cluster.push([errors[round % errors.count]])
                    if round % 7 == 4 {
                        cluster.setAll(up: false)
                        cluster.setAll(up: true)
                    }
                }
            }
            try await group.waitForAll()
        }
        let records = await cluster.records(of: "events")
        let numbers = records.compactMap { Int(String(decoding: $0.value ?? [], as: UTF8.self)) }
        #expect(Set(numbers) == Set(0..<count), "\(count - Set(numbers).count) are lost")
        #expect(numbers.count - count <= 14 * 400, "repeated are at most those under way")
        var last: [Int: Int] = [:]
        var seen: Set<Int> = []
        // Printed and not asserted: these brokers check no sequence numbers, so they take what real ones would refuse.
        var disordered = 0
        for number in numbers where seen.insert(number).inserted {
            if let before = last[number % 23], before > number { disordered += 1 }
            last[number % 23] = number
        }
        print("\(count) messages, \(numbers.count - count) repeated, \(disordered) after a later one of their key")
    }
}
