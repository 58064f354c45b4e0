import CRdKafka
import KafkaTesting
import Logging
import Outbox
import OutboxKafka
import OutboxTesting
import Synchronization
import TestSupport
import Testing

/// A relay that delivers to brokers which fail in every way.
@Suite(.timeLimit(.minutes(10))) struct RelayTests {
    private final class Settled: Sendable {
        let count = Atomic<Int>(0)
    }

    /// What goes wrong.
    ///
    /// The brokers of tests check no sequence numbers: when they refuse a request, they take the next one of the partition, which
    /// real ones refuse as well. So keys are in order here only where whole connections break. And because librdkafka takes what
    /// precedes a confirmed record for confirmed (`rd_kafka_dr_implicit_ack`), which only such a broker makes wrong, nothing may be
    /// on the wire behind what is refused.
    enum Faults: CaseIterable {
        case connections
        case everything

        var errors: [rd_kafka_resp_err_t] {
            switch self {
            case .connections: [RD_KAFKA_RESP_ERR__TRANSPORT]
            case .everything:
                [
                    RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                    RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                    RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
                ]
            }
        }
    }

    @Test(arguments: Faults.allCases) func nothingIsLostAndKeysKeepTheirOrder(_ faults: Faults) async throws {
        let cluster = MockKafkaCluster()
        cluster.create("events", replicas: 3)
        let outbox = InMemoryOutbox()
        let count = 4000
        for number in 0..<count { try outbox.enqueue(.numbered(number, key: "k\(number % 23)")) }
        let transport = try TransportUnderTest.make(cluster.bootstrapServers) { configuration in
            configuration.delivery.contactTimeout = .milliseconds(50)
            configuration.delivery.timeout = .seconds(5)
            if faults == .everything { configuration.properties["max.in.flight"] = "1" }
            configuration.properties["batch.num.messages"] = "20"
        }
        var logger = Logger(label: "outbox.test")
        logger.logLevel = .critical
        let relay = Relay(
            store: outbox,
            routes: [
                "events": .transport(
                    transport,
                    settings: DeliverySettings(
                        retry: .exponential(
                            maximumAttempts: 1000, initialDelay: .milliseconds(1), maximumDelay: .milliseconds(5)),
                        breaker: .opening(initialDelay: .milliseconds(1), maximumDelay: .milliseconds(5)),
                        maximumCount: 100))
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
                let errors = faults.errors
                for round in 0..<14 {
                    let target = count * round / 16
                    try await eventually("\(target) are delivered") {
                        settled.count.load(ordering: .relaxed) >= target
                    }
                    cluster.push([errors[round % errors.count]])
                    if faults == .everything, round % 5 == 2 {
                        cluster.lead("events", partition: round % 4, by: 1 + round % 3)
                    }
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
        // A record that was refused alone is dead, as it has to be; a dead letter's id is one more than its number.
        let dead = Set(outbox.deadLetters().map { Int($0.id) - 1 })
        let missing = Set(0..<count).subtracting(numbers).subtracting(dead)
        #expect(missing.isEmpty, "\(missing.sorted()) are lost, \(dead.sorted()) are dead")
        #expect(dead.count <= 2, "no more than were called too large")
        #expect(numbers.count - count <= 14 * 400, "repeated are at most those under way")
        var last: [Int: Int] = [:]
        var seen: Set<Int> = []
        for number in numbers where seen.insert(number).inserted {
            if faults == .connections, let before = last[number % 23] {
                #expect(before < number, "\(number) after \(before)")
            }
            last[number % 23] = number
        }
    }
}
