import Outbox
import OutboxRuntime
import OutboxTesting
import Synchronization
import Testing

/// What a relay makes of transports and their outcomes.
@Suite(.timeLimit(.minutes(5))) struct RelayTransportTests {
    /// A transport whose outcomes a test decides.
    private final class Scripted: Transport {
        enum Step: Hashable { case run, deliver, close, end }

        let steps = Mutex<[Step]>([])
        let calls = Calls()
        private let closes = Latch()
        private let answer: @Sendable (MessageBatch) -> [Outcome]

        init(_ answer: @escaping @Sendable (MessageBatch) -> [Outcome]) {
            self.answer = answer
        }

        var description: String { "scripted" }
        var health: TransportHealth { self.closes.isOpen ? .closed : .up }

        func run() async throws {
            self.steps.withLock { $0.append(.run) }
            await self.closes.wait()
            self.steps.withLock { $0.append(.end) }
        }

        func deliver(_ batch: MessageBatch) async throws -> [Outcome] {
            self.steps.withLock { if $0.last != .deliver { $0.append(.deliver) } }
            for message in batch { self.calls.begin(message) }
            return self.answer(batch)
        }

        func close() async {
            self.steps.withLock { $0.append(.close) }
            self.closes.open()
        }
    }

    private func outbox(_ count: Int, keys: Int, to destinations: [Destination] = ["d"]) throws -> InMemoryOutbox {
        let outbox = InMemoryOutbox()
        for number in 0..<count {
            for destination in destinations {
                try outbox.enqueue(NewMessage(to: destination, key: "k\(number % keys)", text: "\(number)"))
            }
        }
        return outbox
    }

    /// Counts what is delivered or dead, and ends the relay with the last.
    private static func end(after count: Int) -> @Sendable (RelayEvent) -> RelayUnderTest.End? {
        let seen = SettledCount()
        return { event in
            switch event {
            case .delivered, .deadLettered: seen.add() == count ? .gracefully : nil
            default: nil
            }
        }
    }

    private final class SettledCount: Sendable {
        private let count = Atomic(0)
        func add() -> Int { self.count.add(1, ordering: .relaxed).newValue }
    }

    @Test func aTransportRunsOnceFromBeforeTheFirstDeliveryUntilAfterTheLast() async throws {
        let outbox = try self.outbox(10, keys: 3, to: ["a", "b"])
        let transport = Scripted { $0.map { _ in .delivered } }
        let relay = RelayUnderTest.make(
            outbox, ["a": .transport(transport), "b": .routes([:], otherwise: .transport(transport))])
        try await RelayUnderTest.run(relay, until: Self.end(after: 20))
        #expect(transport.steps.withLock(\.self) == [.run, .deliver, .close, .end])
        #expect(transport.calls.ids.count == 20)
    }

    @Test func aTransportThatEndsByItselfEndsTheRelay() async throws {
        let outbox = try self.outbox(1, keys: 1)
        let transport = Scripted { $0.map { _ in .delivered } }
        let relay = RelayUnderTest.make(outbox, ["d": .transport(transport)])
        await transport.close()
        let error = await #expect(throws: RelayError.self) { try await relay.run() }
        #expect(error?.code == .transportEnded && error?.isRetriable == false)
    }

    /// What is behind a message that failed is stored behind it, without an attempt, and comes in order after it.
    @Test func whatIsBehindCostsNoAttempt() async throws {
        let outbox = try self.outbox(30, keys: 3)
        let transport = Scripted { batch in
            var schedule = BatchSchedule(batch)
            while let index = schedule.next() {
                let isRefused =
                    batch[index].key == "k1" && batch[index].attempt < 3 && batch[index].payload == [UInt8]("4".utf8)
                schedule.settle(index, isRefused ? .retry("not yet") : .delivered)
            }
            return schedule.outcomes
        }
        let relay = RelayUnderTest.make(
            outbox, ["d": .transport(transport, settings: DeliverySettings(retry: .constant(.milliseconds(1))))])
        try await RelayUnderTest.run(relay, until: Self.end(after: 30))
        #expect(outbox.pending().isEmpty && outbox.deferred().isEmpty && outbox.deadLetters().isEmpty)
        for id in Int64(1)...30 {
            let attempts = transport.calls.attempts(of: id)
            if id == 5 {
                #expect(attempts == [1, 2, 3])
            } else {
                #expect(attempts.allSatisfy { $0 == 1 }, "\(id): \(attempts)")
            }
        }
        // Those of its key come after it, in order.
        let key = transport.calls.all.filter { $0.key == "k1" && $0.id >= 5 }
        let last = key.lastIndex { $0.id == 5 } ?? 0
        #expect(key[(last + 1)...].map(\.id) == [8, 11, 14, 17, 20, 23, 26, 29])
    }

    /// What is behind a message that found its destination down is held with it.
    @Test func whatIsBehindAnOutageIsHeld() async throws {
        let outbox = try self.outbox(30, keys: 3)
        let failures = Atomic(0)
        let transport = Scripted { batch in
            var schedule = BatchSchedule(batch)
            while let index = schedule.next() {
                let isDown = failures.add(1, ordering: .relaxed).newValue <= 5
                schedule.settle(index, isDown ? .unavailable("down") : .delivered)
            }
            return schedule.outcomes
        }
        let relay = RelayUnderTest.make(
            outbox,
            ["d": .transport(transport, settings: DeliverySettings(breaker: .opening(initialDelay: .milliseconds(1))))])
        let events = try await RelayUnderTest.run(relay, until: Self.end(after: 30))
        #expect(transport.calls.all.allSatisfy { $0.attempt == 1 }, "an outage costs no attempt")
        let isDeferred = events.contains { if case .retried = $0 { true } else { false } }
        #expect(!isDeferred, "and nothing is written")
        let delivered = events.compactMap { event -> Int64? in
            if case .delivered(let id, _, _) = event { id } else { nil }
        }
        for key in 0..<3 {
            let ids = delivered.filter { ($0 - 1) % 3 == key }
            #expect(ids == ids.sorted() && ids.count == 10)
        }
    }

    /// Messages in the middle of batches are unavailable, as those that a full queue refuses: nothing is counted or dead, and the
    /// order by key holds whatever becomes of the others.
    @Test(arguments: 0..<10) func unavailableInTheMiddleOfABatchCostsNoAttempt(seed: Int) async throws {
        let count = 200
        let outbox = try self.outbox(count, keys: 13)
        let random = Mutex(SeededGenerator(seed: UInt64(seed)))
        let left = Atomic(300)
        let transport = Scripted { batch in
            var schedule = BatchSchedule(batch, keyOrder: seed % 2 == 0 ? .oneAtATime : .pipelined)
            var onTheWay: [Int] = []
            while !schedule.isDone {
                while let index = schedule.next() { onTheWay.append(index) }
                guard let index = onTheWay.popLast() else { break }
                let draw = random.withLock { Int.random(in: 0..<8, using: &$0) }
                let isRefused = draw < 3 && left.subtract(1, ordering: .relaxed).newValue > 0
                schedule.settle(index, isRefused ? .unavailable("the queue is full") : .delivered)
            }
            return schedule.outcomes
        }
        let relay = RelayUnderTest.make(
            outbox,
            [
                "d": .transport(
                    transport,
                    settings: DeliverySettings(
                        retry: .constant(.milliseconds(1), maximumAttempts: 1),
                        breaker: .opening(initialDelay: .milliseconds(1), maximumDelay: .milliseconds(2)),
                        maximumCount: 20))
            ])
        let events = try await RelayUnderTest.run(relay, until: Self.end(after: count))
        #expect(outbox.pending().isEmpty && outbox.deferred().isEmpty && outbox.deadLetters().isEmpty)
        #expect(transport.calls.all.allSatisfy { $0.attempt == 1 })
        let delivered = events.compactMap { event -> Int64? in
            if case .delivered(let id, _, _) = event { id } else { nil }
        }
        #expect(Set(delivered).count == count && delivered.count == count)
        for key in 0..<13 {
            let ids = delivered.filter { ($0 - 1) % 13 == key }
            #expect(ids == ids.sorted())
        }
        // A breaker opens at the first of them.
        let first = try #require(events.firstIndex { if case .opened = $0 { true } else { false } })
        let retried = events.firstIndex { if case .retried = $0 { true } else { false } }
        #expect(retried.map { $0 > first } ?? true)
    }

    /// A closure that fails for whole batches, of the log and of deferred messages, and one whose batches are parked meanwhile:
    /// those of a key wait for the first of them, whatever pauses are drawn.
    @Test(arguments: 0..<6) func aBatchThatFailsAsAWholeKeepsTheOrder(seed: Int) async throws {
        let count = 150
        let outbox = try self.outbox(count, keys: 5)
        let random = Mutex(SeededGenerator(seed: UInt64(seed)))
        let left = Atomic(60)
        let transport = Scripted { batch in
            let isFailure = random.withLock { Int.random(in: 0..<3, using: &$0) } > 0
            let fails = isFailure && left.subtract(1, ordering: .relaxed).newValue > 0
            return batch.map { _ in fails ? .retry("all of it") : .delivered }
        }
        let handler = DestinationHandler.batch(
            maximumCount: 20,
            retry: .exponential(
                maximumAttempts: 1000, initialDelay: .milliseconds(5), maximumDelay: .milliseconds(5)),
            breaker: .off, parking: seed % 2 == 0 ? .never : .after(.microseconds(200))
        ) { messages in
            if seed % 2 == 1 { try await Task.sleep(for: .milliseconds(1)) }
            return try await transport.deliver(MessageBatch(messages))
        }
        let relay = RelayUnderTest.make(outbox, ["d": handler])
        let events = try await RelayUnderTest.run(relay, until: Self.end(after: count))
        let delivered = events.compactMap { event -> Int64? in
            if case .delivered(let id, _, _) = event { id } else { nil }
        }
        #expect(delivered.count == count)
        for key in 0..<5 {
            let ids = delivered.filter { ($0 - 1) % 5 == key }
            #expect(ids == ids.sorted())
        }
    }
}
