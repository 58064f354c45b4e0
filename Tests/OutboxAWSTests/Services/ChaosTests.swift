import Foundation
import Logging
import Outbox
import OutboxTesting
import TestSupport
import Testing

@testable import OutboxAWS

/// A relay, an outbox in memory, and a service that is killed, slow, flapping and throttled: nothing is lost, all arrives byte for byte, and keys
/// stay in order where the service keeps order.
@Suite(.serialized, .timeLimit(.minutes(15))) struct ChaosTests {
    private static let server = SharedTestbed(.ministack, seed: 7)
    private static let keys = 13
    private static let faults: [[String: Double]] = [
        ["drop_before": 0.05, "drop_after": 0.05], ["throttle": 0.1], ["partial": 0.3], ["error": 0.1],
        ["slow": 0.3, "slowness": 0.1],
        ["drop_after": 0.05, "partial": 0.1, "throttle": 0.05, "error": 0.05, "slow": 0.1], [:],
    ]

    private static let rounds = 14

    /// Changes what goes wrong.
    private static func disturb(_ testbed: AWSTestbed, _ round: Int) async throws {
        try await testbed.misbehave(self.faults[round % self.faults.count])
        if round % 3 == 0 { try await testbed.cut() }
        guard round % 5 == 4 else { return }
        try await testbed.stop()
        try await Task.sleep(for: .milliseconds(200))
        try await testbed.start()
    }

    private static func text(_ number: Int) -> String { "\(number) zwölf \u{1F600} \"\\/&=+%<>" }

    /// Delivers messages while faults change and the service comes and goes.
    private func run(_ testbed: AWSTestbed, _ transport: any Transport, count: Int) async throws {
        let outbox = InMemoryOutbox()
        try outbox.enqueue(
            (0..<count).map { .text(Self.text($0), key: "key \($0 % Self.keys)", headers: ["h": "\($0)"]) })
        let settings = DeliverySettings(
            retry: .exponential(
                maximumAttempts: 1000, initialDelay: .milliseconds(5), maximumDelay: .milliseconds(100)),
            breaker: .opening(initialDelay: .milliseconds(5), maximumDelay: .milliseconds(100)), maximumCount: 26)
        let relay = Relay(
            store: outbox, routes: ["orders": .transport(transport, settings: settings)],
            logger: LogLines(from: .critical).logger)
        let events = relay.events(bufferingNewest: 200_000)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await relay.run() }
            group.addTask {
                defer { relay.stop() }
                var settled = 0
                var round = 0
                try await Self.disturb(testbed, round)
                for await event in events {
                    switch event {
                    case .delivered, .deadLettered: settled += 1
                    default: continue
                    }
                    if settled == count { return }
                    // By what has got through, so that each of them has its turn however fast the machine is.
                    guard settled >= count * (round + 1) / Self.rounds else { continue }
                    round += 1
                    try await Self.disturb(testbed, round)
                }
            }
            try await group.waitForAll()
        }
        #expect(outbox.pending().isEmpty && outbox.deferred().isEmpty)
        #expect(outbox.deadLetters().isEmpty)
    }

    /// None is missing, and none is another than was enqueued.
    ///
    /// - Returns: Their numbers, in the order of arrival.
    @discardableResult
    private func expectAll(_ arrived: [Data], count: Int) -> [Int] {
        let numbers = Dictionary(uniqueKeysWithValues: (0..<count).map { (Data(Self.text($0).utf8), $0) })
        let found = arrived.compactMap { numbers[$0] }
        #expect(found.count == arrived.count, "\(arrived.count - found.count) are not as they were enqueued")
        let lost = Set(0..<count).subtracting(found).count
        #expect(lost == 0, "\(lost) are lost")
        return found
    }

    /// First arrivals of each key are in order.
    private func expectOrder(_ arrived: [Int]) {
        var seen: Set<Int> = []
        var last: [Int: Int] = [:]
        for number in arrived where seen.insert(number).inserted {
            #expect(last[number % Self.keys, default: -1] < number, "\(number) has overtaken one of its key")
            last[number % Self.keys] = number
        }
    }

    @Test func aFIFOQueueGetsAllOnceAndInOrder() async throws {
        let (testbed, name) = try await Self.server.next()
        try await testbed.makeQueue("\(name).fifo")
        try await self.run(testbed, try testbed.queue(try MessageTemplate("\(name).fifo")), count: 700)
        let arrived = self.expectAll(try await testbed.drain("\(name).fifo").map(\.body), count: 700)
        self.expectOrder(arrived)
        #expect(arrived.count == 700, "what came again is known by its deduplication id")
    }

    @Test func aStandardQueueGetsAll() async throws {
        let (testbed, name) = try await Self.server.next()
        try await testbed.makeQueue(name)
        let transport = try testbed.queue(try MessageTemplate(name)) { $0.keyOrder = .pipelined }
        try await self.run(testbed, transport, count: 1000)
        self.expectAll(try await testbed.drain(name).map(\.body), count: 1000)
    }

    @Test func aStreamGetsAllAndInOrder() async throws {
        let (testbed, name) = try await Self.server.next()
        try await testbed.makeStream(name, shards: 3)
        try await self.run(testbed, try testbed.stream(try MessageTemplate(name)), count: 1000)
        self.expectOrder(self.expectAll(try await testbed.records(name).map(\.data), count: 1000))
    }

    @Test func aFIFOTopicGetsAllOnceAndInOrder() async throws {
        let (testbed, name) = try await Self.server.next()
        let arn = try await testbed.makeTopic("\(name).fifo")
        try await self.run(testbed, try testbed.topic(try MessageTemplate(arn)), count: 700)
        let messages = try await testbed.drain("\(name).fifo")
        let arrived = self.expectAll(messages.map(\.body), count: 700)
        self.expectOrder(arrived)
        #expect(arrived.count == 700, "what came again is known by its deduplication id")
        #expect(zip(messages, arrived).allSatisfy { $0.attributes["h"] == "\($1)" })
    }

    @Test func aStandardTopicGetsAll() async throws {
        let (testbed, name) = try await Self.server.next()
        let arn = try await testbed.makeTopic(name)
        let transport = try testbed.topic(try MessageTemplate(arn)) { $0.keyOrder = .pipelined }
        try await self.run(testbed, transport, count: 700)
        self.expectAll(try await testbed.drain(name).map(\.body), count: 700)
    }

    @Test func aBusGetsAll() async throws {
        let (testbed, name) = try await Self.server.next()
        try await testbed.makeBus(name)
        try await self.run(
            testbed, try testbed.bus(try MessageTemplate(name)) { $0.content = .envelope }, count: 700)
        let arrived = try await testbed.drain(name).map { Data(try EventReader($0.body).bytes) }
        self.expectAll(arrived, count: 700)
    }
}
