import Logging
import Outbox
import OutboxAMQP
import OutboxTesting
import RabbitMQMailbox
import TestSupport
import Testing

/// Messages on their way from an outbox in memory through a relay into a queue, while something goes wrong.
struct RelayRun {
    let scope: BrokerScope
    let count: Int
    let keys: Int

    /// Publishes all messages, and looks at what is in the queue then.
    ///
    /// - Parameters:
    ///   - interruptions: Done when so many messages are in the queue.
    ///   - repetitions: How many may arrive twice.
    func callAsFunction(
        _ transport: AMQPTransport, repetitions: Int,
        interruptions: [(at: Int, what: @Sendable () async throws -> Void)]
    ) async throws {
        let outbox = InMemoryOutbox()
        try outbox.enqueue((0..<self.count).map { .numbered($0, key: "k\($0 % self.keys)") })
        var logger = Logger(label: "outbox.test")
        logger.logLevel = .critical
        let relay = Relay(
            store: outbox,
            routes: [
                "bus": .transport(
                    transport,
                    settings: DeliverySettings(
                        retry: .exponential(initialDelay: .milliseconds(5)),
                        breaker: .opening(initialDelay: .milliseconds(5), maximumDelay: .milliseconds(200)),
                        maximumCount: 200))
            ],
            logger: logger)
        let events = relay.events(bufferingNewest: 200_000)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await relay.run() }
            group.addTask {
                var settled = 0
                for await event in events {
                    switch event {
                    case .delivered, .deadLettered: settled += 1
                    default: break
                    }
                    if settled == self.count { return relay.stop() }
                }
            }
            group.addTask {
                for interruption in interruptions {
                    try await eventually("\(interruption.at) messages are in the queue") {
                        (try? await self.scope.mailbox.count(of: self.scope.name)) ?? 0 >= interruption.at
                    }
                    try await interruption.what()
                }
            }
            defer { group.cancelAll() }
            try await group.waitForAll()
        }
        #expect(outbox.pending().isEmpty && outbox.deferred().isEmpty)
        #expect(outbox.deadLetters().isEmpty)
        // The last interruption may have taken the mailbox's connection as well.
        try await eventually("the queue can be looked into") {
            (try? await self.scope.mailbox.count(of: self.scope.name)) != nil
        }
        let arrived = try await self.scope.arrived().compactMap(\.number)
        let missing = Set(0..<self.count).subtracting(arrived)
        #expect(missing.isEmpty, "\(missing.count) messages are lost")
        #expect(arrived.count - self.count <= repetitions, "\(arrived.count - self.count) messages arrived twice")
        var last: [Int: Int] = [:]
        var seen: Set<Int> = []
        for number in arrived where seen.insert(number).inserted {
            #expect(
                last[number % self.keys, default: -1] < number, "message \(number) has overtaken another of its key")
            last[number % self.keys] = number
        }
    }
}
