import OutboxRuntime
import OutboxTesting
import Synchronization
import Testing

@testable import Outbox

/// Messages whose handlers take longer than their destination allows.
@Suite(.timeLimit(.minutes(5))) struct ParkingTests {
    private struct Refused: Error {}

    /// Whatever is called is parked when the relay looks twice.
    private let patience = Duration.milliseconds(2)

    /// Says when so many different messages were delivered.
    private func delivered(_ count: Int) -> @Sendable (RelayEvent) -> Bool {
        let ids = Mutex<Set<Int64>>([])
        return { event in
            guard case .delivered(let id, _, _) = event else { return false }
            return ids.withLock { ids in
                ids.insert(id)
                return ids.count == count
            }
        }
    }

    /// The window is a fraction of what passes.
    @Test func othersPassAndThoseOfItsKeyWait() async throws {
        let outbox = InMemoryOutbox()
        for number in 1...500 {
            try outbox.enqueue(NewMessage(to: "d", key: number % 100 == 1 ? "slow" : "k\(number % 7)", text: ""))
        }
        let gate = Latch()
        let calls = Calls()
        let othersPassed = Atomic(0)
        let relay = RelayUnderTest.make(
            outbox,
            [
                "d": .handler(concurrency: 4, parking: .after(self.patience)) { message in
                    calls.begin(message)
                    if message.id == 1 { try await gate.pass() }
                    calls.end()
                    // All but the first and the four behind it.
                    if message.key != "slow", othersPassed.add(1, ordering: .relaxed).newValue == 495 { gate.open() }
                }
            ])
        let isDone = self.delivered(500)
        let events = try await RelayUnderTest.run(relay) { isDone($0) ? .gracefully : nil }
        #expect(events.contains(.parked(id: 1, destination: "d")))
        #expect(calls.ids.count == 500 && Set(calls.ids).count == 500, "none is tried twice")
        #expect(calls.isOrderedByKey)
        #expect(outbox.pending().isEmpty && outbox.deferred().isEmpty && outbox.deadLetters().isEmpty)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let outcome: Outcome
        let attempts: [Int]
        let isDead: Bool
        var testDescription: String { "\(self.outcome.kind)" }
    }

    @Test(
        arguments: [
            Case(outcome: .delivered, attempts: [1], isDead: false),
            Case(outcome: .retry(after: .zero, "no"), attempts: [1, 2], isDead: false),
            Case(outcome: .unavailable("down"), attempts: [1, 1], isDead: false),
            Case(outcome: .reject("never"), attempts: [1], isDead: true),
        ], [true, false]) func whatBecomesOfItIsDone(_ outcome: Case, isDeferred: Bool) async throws
    {
        let outbox = InMemoryOutbox()
        try outbox.enqueue(NewMessage(to: "d", key: "k", text: "slow"))
        try outbox.enqueue(NewMessage(to: "d", key: "k", text: "behind"))
        if isDeferred {
            // Another relay has had no luck with it: the first attempt of each is its second.
            let failing: RelayRoutes = ["d": .handler(retry: .constant(.zero)) { _ in throw Refused() }]
            try await RelayUnderTest.run(RelayUnderTest.make(outbox, failing)) { event in
                if case .retried = event { .atOnce } else { nil }
            }
        }
        let before = outbox.deferred().first?.attempts ?? 0
        let gate = Latch()
        let calls = Calls()
        let relay = RelayUnderTest.make(
            outbox,
            [
                "d": .handler(retry: .constant(.zero), parking: .after(self.patience)) { message in
                    calls.begin(message)
                    if message.id != 1 || calls.attempts(of: 1).count > 1 { return }
                    try await gate.pass()
                    if outcome.outcome != .delivered { throw DeliveryFailure(outcome: outcome.outcome) }
                }
            ])
        let events = try await RelayUnderTest.run(relay) { event in
            switch event {
            case .parked(id: 1, _):
                gate.open()
                return nil
            case .delivered(id: 2, _, _): return .gracefully
            default: return nil
            }
        }
        #expect(events.contains(.parked(id: 1, destination: "d")))
        #expect(calls.attempts(of: 1) == outcome.attempts.map { $0 + before })
        #expect(calls.attempts(of: 2) == [1] && calls.ids.last == 2)
        #expect(outbox.deadLetters().map(\.attempts) == (outcome.isDead ? [before + 1] : []))
        #expect(outbox.pending().isEmpty && outbox.deferred().isEmpty)
    }

    @Test func aBatchIsParkedAsAWhole() async throws {
        let outbox = InMemoryOutbox()
        for number in 1...100 { try outbox.enqueue(NewMessage(to: "d", key: "k\(number % 10)", text: "")) }
        let gate = Latch()
        let first = Mutex<Set<Int64>>([])
        let calls = Calls()
        let relay = RelayUnderTest.make(
            outbox,
            [
                "d": .batch(
                    maximumCount: 5, retry: .constant(.zero), concurrency: 2, breaker: .off,
                    parking: .after(self.patience)
                ) { messages in
                    for message in messages { calls.begin(message) }
                    let isFirst = first.withLock { first in
                        defer { if first.isEmpty { first = Set(messages.map(\.id)) } }
                        return first.isEmpty
                    }
                    if !isFirst { return messages.map { _ in .delivered } }
                    try await gate.pass()
                    // The second of the batch, and so what follows of its key, has to come again.
                    return messages.map { message in
                        message.key == messages[1].key ? .retry(after: .zero, "no") : .delivered
                    }
                }
            ])
        let isDone = self.delivered(100)
        try await RelayUnderTest.run(relay) { event in
            if case .parked(let id, _) = event, first.withLock({ $0.contains(id) }) { gate.open() }
            return isDone(event) ? .gracefully : nil
        }
        let again = Dictionary(grouping: calls.ids, by: { $0 }).filter { $0.value.count > 1 }.keys
        #expect(!again.isEmpty && first.withLock { Set(again).isSubset(of: $0) })
        #expect(calls.isOrderedByKey)
        #expect(outbox.pending().isEmpty && outbox.deferred().isEmpty && outbox.deadLetters().isEmpty)
    }

    // MARK: - Ends

    /// A relay whose handler never comes back, until the first message is parked.
    private func parkAndEnd(_ outbox: InMemoryOutbox, _ end: RelayUnderTest.End, _ calls: Calls) async throws {
        let gate = Latch()
        let relay = RelayUnderTest.make(
            outbox,
            [
                "d": .handler(retry: .constant(.zero, maximumAttempts: 3), parking: .after(self.patience)) { message in
                    calls.begin(message)
                    try await gate.pass()
                }
            ]
        ) { $0.shutdown.deadline = .milliseconds(1) }
        try await RelayUnderTest.run(relay) { event in
            switch event {
            case .parked: end
            case .deadLettered: .gracefully
            default: nil
            }
        }
    }

    @Test func aProcessThatEndsMeanwhileHasMadeAnAttempt() async throws {
        let outbox = InMemoryOutbox()
        try outbox.enqueue(NewMessage(to: "d", key: "k", text: ""))
        let calls = Calls()
        for attempt in 1...3 {
            try await self.parkAndEnd(outbox, .atOnce, calls)
            #expect(calls.attempts(of: 1) == Array(1...attempt))
            #expect(outbox.pending().isEmpty && outbox.deferred().map(\.attempts) == [attempt])
        }
        try await self.parkAndEnd(outbox, .atOnce, calls)
        #expect(calls.ids.count == 3, "it has used up its attempts")
        let dead = try #require(outbox.deadLetters().first)
        #expect(dead.attempts == 3 && dead.reason == .exhausted)
        #expect(dead.error == "the relay ended before the handler had")
    }

    @Test func aRelayThatEndsInGoodOrderHasNot() async throws {
        let outbox = InMemoryOutbox()
        try outbox.enqueue(NewMessage(to: "d", key: "k", text: ""))
        let calls = Calls()
        for _ in 1...5 {
            try await self.parkAndEnd(outbox, .gracefully, calls)
            #expect(outbox.deferred().map(\.attempts) == [0])
        }
        #expect(calls.attempts(of: 1) == [1, 1, 1, 1, 1])
    }

    @Test func aGracefulEndWaitsForIt() async throws {
        let outbox = InMemoryOutbox()
        try outbox.enqueue(NewMessage(to: "d", text: ""))
        let gate = Latch()
        let relay = RelayUnderTest.make(
            outbox, ["d": .handler(parking: .after(self.patience)) { _ in try await gate.pass() }])
        let events = try await RelayUnderTest.run(relay) { event in
            guard case .parked = event else { return nil }
            defer { gate.open() }
            return .gracefully
        }
        #expect(events.contains(.delivered(id: 1, destination: "d", attempt: 1)))
        #expect(outbox.pending().isEmpty && outbox.deferred().isEmpty)
    }
}
