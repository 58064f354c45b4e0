import OutboxRuntime
import OutboxTesting
import Synchronization
import Testing

@testable import Outbox

/// Messages that end the process: relays that are ended in the middle of everything, again and again, by what they deliver.
@Suite(.timeLimit(.minutes(5))) struct CrashTests {
    private struct Refused: Error {}

    /// What was delivered by all processes.
    private final class Delivered: Sendable {
        private let ids = Mutex<Set<Int64>>([])
        func add(_ id: Int64) { self.ids.withLock { _ = $0.insert(id) } }
        var count: Int { self.ids.withLock(\.count) }
    }

    /// One process.
    ///
    /// - Parameter ending: Whether a message ends the process.
    /// - Returns: Whether one did.
    private func process(
        _ outbox: InMemoryOutbox, _ calls: Calls,
        retry: any DeliveryRetryStrategy = .constant(.zero, maximumAttempts: 3),
        until isDone: @escaping @Sendable () -> Bool, body: @escaping @Sendable (Message) throws -> Void = { _ in },
        ending: @escaping @Sendable (Message) -> Bool
    ) async throws -> Bool {
        let crash = Latch()
        let forever = Latch()
        let hasCrashed = Atomic(false)
        let handler = DestinationHandler.handler(retry: retry, concurrency: 8, parking: .never) { message in
            calls.begin(message)
            defer { calls.end() }
            if ending(message) {
                hasCrashed.store(true, ordering: .relaxed)
                crash.open()
                try await forever.pass()
            }
            try body(message)
        }
        let relay = RelayUnderTest.make(outbox, ["d": handler, "e": handler])
        let events = relay.events(bufferingNewest: 100_000)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { do { try await relay.run() } catch is CancellationError {} }
            group.addTask {
                for await _ in events where isDone() { relay.stop() }
            }
            group.addTask { do { try await crash.pass() } catch is CancellationError {} }
            // The relay's end, or the crash.
            try await group.next()
            group.cancelAll()
        }
        return hasCrashed.load(ordering: .relaxed)
    }

    /// Runs processes until one survives.
    ///
    /// - Returns: How many did not, and how many messages each of these delivered at the same time at most.
    private func processes(
        _ outbox: InMemoryOutbox, others count: Int, poisons: Int,
        retry: any DeliveryRetryStrategy = .constant(.zero, maximumAttempts: 3),
        body: @escaping @Sendable (Message) throws -> Void = { _ in }, ending: @escaping @Sendable (Message) -> Bool
    ) async throws -> [Int] {
        let delivered = Delivered()
        var most: [Int] = []
        while most.count < 50 {
            let calls = Calls()
            let hasCrashed = try await self.process(outbox, calls, retry: retry) {
                delivered.count == count && outbox.deadLetters().count == poisons
            } body: { message in
                try body(message)
                delivered.add(message.id)
            } ending: { message in
                ending(message)
            }
            #expect(calls.isOrderedByKey)
            if !hasCrashed { return most }
            most.append(calls.most)
        }
        Issue.record("fifty processes have ended, and another would too")
        return most
    }

    private func fill(_ outbox: InMemoryOutbox, _ count: Int, _ destinations: [Destination] = ["d"]) throws {
        for number in 0..<count {
            let destination = destinations[number % destinations.count]
            try outbox.enqueue(NewMessage(to: destination, key: "\(destination)-\(number % 11)", text: "\(number)"))
        }
    }

    @Test(arguments: [1, 13, 20, 21, 55, 120], [1, 3]) func theMessageIsFoundWhereverItIs(
        poison: Int64, maximumAttempts: Int
    ) async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 120)
        let most = try await self.processes(
            outbox, others: 119, poisons: 1, retry: .constant(.zero, maximumAttempts: maximumAttempts)
        ) { $0.id == poison }
        let dead = try #require(outbox.deadLetters().first)
        #expect(outbox.deadLetters().map(\.id) == [poison])
        #expect(dead.reason == .crashed && dead.attempts == maximumAttempts)
        let times = maximumAttempts == 1 ? "once" : "3 times"
        #expect(dead.error == "the relay's process ended \(times) while it delivered this message alone")
        // What comes before it may have been committed in between, which is no harm: then it is counted again.
        #expect(most.count >= 2 + maximumAttempts)
        #expect(most.suffix(maximumAttempts).allSatisfy { $0 == 1 }, "one at a time: \(most)")
    }

    @Test func severalAreFoundInSeveralDestinations() async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 100, ["d", "e"])
        let poisons: Set<Int64> = [4, 5, 9, 60]
        _ = try await self.processes(outbox, others: 96, poisons: 4) { poisons.contains($0.id) }
        #expect(Set(outbox.deadLetters().map(\.id)) == poisons)
        #expect(outbox.deadLetters().allSatisfy { $0.reason == .crashed && $0.attempts == 3 })
    }

    /// It fails like others do at first, and so is read from `deferred`, while the log goes on.
    @Test func aDeferredMessageIsFoundToo() async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 100)
        _ = try await self.processes(outbox, others: 99, poisons: 1) { message in
            if message.id == 7 || (message.id % 10 == 0 && message.attempt == 1) { throw Refused() }
        } ending: {
            $0.id == 7 && $0.attempt > 1
        }
        #expect(outbox.deadLetters().map(\.id) == [7])
        #expect(outbox.deadLetters().map(\.attempts) == [3], "one that failed, two that ended the process")
        #expect(outbox.deadLetters().map(\.reason) == [.crashed])
    }

    /// Sessions that are lost and relays that end in good order have crashed nothing: two at a time are delivered for ever.
    @Test(arguments: [true, false]) func whatIsNoCrashIsNotTakenForOne(isDisconnected: Bool) async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 2)
        let forever = Latch()
        let rounds = Mutex(0)
        @Sendable func relay() -> Relay {
            let pair = Mutex<(relay: Relay?, calls: Int)>((nil, 0))
            let handler = DestinationHandler.handler(concurrency: 8, parking: .never) { _ in
                let isPair = pair.withLock { pair in
                    pair.calls += 1
                    return pair.calls.isMultiple(of: 2)
                }
                if isPair {
                    let round = rounds.withLock { rounds in
                        rounds += 1
                        return rounds
                    }
                    if isDisconnected && round < 6 {
                        outbox.disconnectSessions()
                    } else {
                        pair.withLock { $0.relay?.stop() }
                    }
                }
                try await forever.pass()
            }
            let relay = RelayUnderTest.make(outbox, ["d": handler]) { $0.shutdown.deadline = .zero }
            pair.withLock { $0.relay = relay }
            return relay
        }
        if isDisconnected {
            try await relay().run()
        } else {
            for _ in 1...6 { try await relay().run() }
        }
        #expect(rounds.withLock { $0 } == 6)
        #expect(outbox.pending().count == 2 && outbox.deadLetters().isEmpty)
    }
}
