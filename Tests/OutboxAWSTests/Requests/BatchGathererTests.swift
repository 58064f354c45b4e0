import Outbox
import OutboxRuntime
import OutboxTesting
import Synchronization
import TestSupport
import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct BatchGathererTests {
    /// What was delivered, batch by batch.
    private final class Deliveries: Sendable {
        private let texts = Mutex<[[String]]>([])

        var all: [[String]] { self.texts.withLock { $0 } }

        func deliver(_ batch: MessageBatch) -> [Outcome] {
            let texts = batch.map { String(decoding: $0.payload, as: UTF8.self) }
            self.texts.withLock { $0.append(texts) }
            return texts.map { .reject($0) }
        }
    }

    private func batch(_ texts: [String], ordered: Bool = true, to destination: Destination = "orders") -> MessageBatch
    {
        MessageBatch(texts.map { NewMessage(to: destination, key: $0, text: $0) }, isOrderedByKey: ordered)
    }

    @Test func withoutLingeringABatchIsDeliveredAsItIs() async throws {
        let deliveries = Deliveries()
        let outcomes = try await BatchGatherer(linger: .zero, fullCount: 10)
            .deliver(self.batch(["a", "b"])) { deliveries.deliver($0) }
        #expect(outcomes == [.reject("a"), .reject("b")])
    }

    @Test func aFullBatchWaitsForNone() async throws {
        let gatherer = BatchGatherer(linger: .seconds(3600), fullCount: 2)
        let deliveries = Deliveries()
        let outcomes = try await gatherer.deliver(self.batch(["a", "b"])) { deliveries.deliver($0) }
        #expect(outcomes.count == 2)
    }

    @Test func batchesShareARequestAndEachHasItsOutcomes() async throws {
        // It ends because it is full.
        let gatherer = BatchGatherer(linger: .seconds(3600), fullCount: 6)
        let deliveries = Deliveries()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for name in ["a", "b", "c"] {
                group.addTask {
                    let texts = [name + "1", name + "2"]
                    let outcomes = try await gatherer.deliver(self.batch(texts)) { deliveries.deliver($0) }
                    #expect(outcomes == texts.map { .reject($0) })
                }
            }
            try await group.waitForAll()
        }
        #expect(deliveries.all.count == 1 && deliveries.all[0].count == 6)
    }

    @Test func aBatchThatStaysAloneIsDeliveredInTheEnd() async throws {
        let deliveries = Deliveries()
        let outcomes = try await BatchGatherer(linger: .milliseconds(1), fullCount: 10)
            .deliver(self.batch(["a"])) { deliveries.deliver($0) }
        #expect(outcomes == [.reject("a")])
    }

    @Test func whatClosesDoesNotWait() async throws {
        let gatherer = BatchGatherer(linger: .seconds(3600), fullCount: 10)
        let deliveries = Deliveries()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await gatherer.deliver(self.batch(["a"])) { deliveries.deliver($0) } }
            gatherer.close()
            _ = try await gatherer.deliver(self.batch(["b"])) { deliveries.deliver($0) }
            try await group.waitForAll()
        }
        #expect(Set(deliveries.all.flatMap { $0 }) == ["a", "b"])
    }

    @Test func otherDestinationsAndOrdersHaveRequestsOfTheirOwn() async throws {
        let gatherer = BatchGatherer(linger: .milliseconds(20), fullCount: 10)
        let deliveries = Deliveries()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for batch in [self.batch(["a"]), self.batch(["b"], ordered: false), self.batch(["c"], to: "mail")] {
                group.addTask { _ = try await gatherer.deliver(batch) { deliveries.deliver($0) } }
            }
            try await group.waitForAll()
        }
        #expect(Set(deliveries.all) == [["a"], ["b"], ["c"]])
    }

    /// Those that came later are delivered all the same.
    @Test func aFirstBatchThatIsCancelledTakesNoOtherAlong() async throws {
        let gatherer = BatchGatherer(linger: .seconds(3600), fullCount: 4)
        let deliveries = Deliveries()
        let hasBegun = Latch()
        let first = Task {
            try await gatherer.deliver(self.batch(["a"])) { batch in
                hasBegun.open()
                await Latch().wait()
                try Task.checkCancellation()
                return deliveries.deliver(batch)
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for name in ["b", "c", "d"] {
                group.addTask {
                    let outcomes = try await gatherer.deliver(self.batch([name])) { deliveries.deliver($0) }
                    #expect(outcomes == [.reject(name)])
                }
            }
            // Whichever came first leads; another than the one that is cancelled delivers for all.
            group.addTask {
                try await eventually("all are gathered") { hasBegun.isOpen || !deliveries.all.isEmpty }
                first.cancel()
            }
            try await group.waitForAll()
        }
        #expect(Set(deliveries.all.flatMap { $0 }).isSuperset(of: ["b", "c", "d"]))
        _ = try? await first.value
    }
}
