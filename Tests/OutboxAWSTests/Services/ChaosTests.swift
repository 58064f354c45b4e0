import Logging
import Outbox
import OutboxTesting
import TestSupport
import Testing

@testable import OutboxAWS

/// A relay, an outbox in memory, and a service that is killed, slow, flapping and throttled: nothing is lost, and keys stay in order where the
/// service keeps order.
@Suite(.serialized, .timeLimit(.minutes(15))) struct ChaosTests {
    private static let keys = 13
    private static let faults: [[String: Double]] = [
        ["drop_before": 0.05, "drop_after": 0.05], ["throttle": 0.1], ["partial": 0.3], ["error": 0.1],
        ["slow": 0.3, "slowness": 0.1],
        ["drop_after": 0.05, "partial": 0.1, "throttle": 0.05, "error": 0.05, "slow": 0.1], [:],
    ]

    /// Delivers messages while faults change and the service comes and goes.
    private func run(_ testbed: AWSTestbed, _ transport: any Transport, count: Int) async throws {
        let outbox = InMemoryOutbox()
        try outbox.enqueue((0..<count).map { .text("\($0)", key: "key \($0 % Self.keys)", headers: ["h": "\($0)"]) })
        let settings = DeliverySettings(
            retry: .exponential(
                maximumAttempts: 1000, initialDelay: .milliseconds(5), maximumDelay: .milliseconds(100)),
            breaker: .opening(initialDelay: .milliseconds(5), maximumDelay: .milliseconds(100)), maximumCount: 100)
        let relay = Relay(
            store: outbox, routes: ["orders": .transport(transport, settings: settings)],
            logger: LogLines(from: .critical).logger)
        let events = relay.events(bufferingNewest: 200_000)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await relay.run()
                return true
            }
            group.addTask {
                for round in 0... {
                    try await testbed.misbehave(Self.faults[round % Self.faults.count])
                    try await Task.sleep(for: .milliseconds(300))
                    if round % 3 == 0 { try await testbed.cut() }
                    if round % 5 == 4 {
                        try await testbed.stop()
                        try await Task.sleep(for: .milliseconds(200))
                        try await testbed.start()
                    }
                }
                return false
            }
            group.addTask {
                var settled = 0
                for await event in events {
                    switch event {
                    case .delivered, .deadLettered: settled += 1
                    default: break
                    }
                    if settled == count { break }
                }
                relay.stop()
                return false
            }
            defer { group.cancelAll() }
            while let isRelay = try await group.next() {
                if isRelay { break }
            }
        }
        #expect(outbox.pending().isEmpty && outbox.deferred().isEmpty)
        #expect(outbox.deadLetters().isEmpty)
    }

    /// First arrivals of each key are in order, and none is missing.
    private func expectAll(_ arrived: [Int], count: Int) {
        #expect(Set(0..<count).subtracting(arrived).isEmpty, "\(Set(0..<count).subtracting(arrived).count) are lost")
        var seen: Set<Int> = []
        var last: [Int: Int] = [:]
        for number in arrived where seen.insert(number).inserted {
            #expect(last[number % Self.keys, default: -1] < number, "\(number) has overtaken one of its key")
            last[number % Self.keys] = number
        }
    }

    @Test func aFIFOQueueGetsAllOnceAndInOrder() async throws {
        let testbed = try await AWSTestbed(.ministack, seed: 7)
        try await testbed.makeQueue("orders.fifo")
        try await self.run(testbed, try testbed.queue("orders.fifo"), count: 1500)
        let arrived = try await testbed.drain("orders.fifo").compactMap { Int($0.text) }
        self.expectAll(arrived, count: 1500)
        #expect(arrived.count == 1500, "what came again is known by its deduplication id")
    }

    @Test func aStandardQueueGetsAll() async throws {
        let testbed = try await AWSTestbed(.ministack, seed: 8)
        try await testbed.makeQueue("orders")
        try await self.run(testbed, try testbed.queue("orders") { $0.keyOrder = .pipelined }, count: 2000)
        let arrived = try await testbed.drain("orders").compactMap { Int($0.text) }
        #expect(Set(arrived) == Set(0..<2000))
    }

    @Test func aStreamGetsAllAndInOrder() async throws {
        let testbed = try await AWSTestbed(.ministack, seed: 9)
        try await testbed.makeStream("events", shards: 3)
        try await self.run(testbed, try testbed.stream("events"), count: 2000)
        self.expectAll(
            try await testbed.records("events").compactMap { Int(String(decoding: $0.data, as: UTF8.self)) },
            count: 2000)
    }
}
