import Logging
import OutboxRuntime
import OutboxTesting
import Synchronization
import Testing

@testable import Outbox

/// What a relay does while a destination is down. Down for a number of calls, not for a time, so no test waits.
@Suite(.timeLimit(.minutes(5))) struct OutageTests {
    private struct Refused: Error {}

    private let probing = BreakerPolicy.opening(initialDelay: .milliseconds(1), maximumDelay: .milliseconds(2))

    private func relay(_ outbox: any RelayStore, _ routes: RelayRoutes) -> Relay {
        var logger = Logger(label: "outbox.test")
        logger.logLevel = .critical
        var settings = RelaySettings()
        settings.page.messages = 100
        settings.commit.interval = .milliseconds(1)
        settings.reconnect.initialDelay = .milliseconds(1)
        // A test that ends by this has reached the time limit.
        settings.shutdown.deadline = .seconds(3600)
        return Relay(store: outbox, routes: routes, settings: settings, logger: logger)
    }

    /// Runs a relay until an event says that all is done.
    private func run(_ relay: Relay, until isDone: @escaping @Sendable (RelayEvent) throws -> Bool) async throws
        -> [RelayEvent]
    {
        let events = relay.events(bufferingNewest: 100_000)
        return try await withThrowingTaskGroup(of: [RelayEvent].self) { group in
            group.addTask {
                try await relay.run()
                return []
            }
            group.addTask {
                var seen: [RelayEvent] = []
                for await event in events {
                    seen.append(event)
                    if try isDone(event) { relay.stop() }
                }
                return seen
            }
            var all: [RelayEvent] = []
            for try await some in group { all += some }
            return all
        }
    }

    /// Says when so many different messages were delivered.
    private func delivered(_ count: Int, of destination: Destination = "d") -> @Sendable (RelayEvent) -> Bool {
        let ids = Mutex<Set<Int64>>([])
        return { event in
            guard case .delivered(let id, destination, _) = event else { return false }
            return ids.withLock { ids in
                ids.insert(id)
                return ids.count == count
            }
        }
    }

    private func fill(_ outbox: InMemoryOutbox, _ count: Int, keys: Int, to destination: Destination = "d") throws {
        for number in 0..<count {
            try outbox.enqueue(NewMessage(to: destination, key: "k\(number % keys)", text: "\(number)"))
        }
    }

    private func isOpened(_ event: RelayEvent) -> Bool { if case .opened = event { true } else { false } }
    private func isClosed(_ event: RelayEvent) -> Bool { if case .closed = event { true } else { false } }
    private func isRetried(_ event: RelayEvent) -> Bool { if case .retried = event { true } else { false } }

    /// Messages that were taken, in order.
    private final class Taken: Sendable {
        private let items = Mutex<[(id: Int64, key: String?, attempt: Int)]>([])

        func add(_ message: Message) {
            let item = (message.id, message.key, message.attempt)
            self.items.withLock { $0.append(item) }
        }

        var ids: [Int64] { self.items.withLock { $0.map(\.id) } }
        var attempts: Set<Int> { self.items.withLock { Set($0.map(\.attempt)) } }
        var isOrderedByKey: Bool {
            self.items.withLock { items in
                Dictionary(grouping: items, by: \.key).values.allSatisfy { items in
                    zip(items, items.dropFirst()).allSatisfy { $0.id < $1.id }
                }
            }
        }
    }

    enum Shape: CaseIterable { case single, sequential, batch, routes }

    private func handler(
        _ shape: Shape, retry: any DeliveryRetryStrategy = .constant(.zero),
        _ body: @escaping @Sendable (Message) throws -> Void
    ) -> DestinationHandler {
        switch shape {
        case .single: return .handler(retry: retry, breaker: self.probing) { try body($0) }
        case .sequential: return .handler(retry: retry, concurrency: 1, breaker: self.probing) { try body($0) }
        case .batch:
            return .batch(maximumCount: 10, retry: retry, breaker: self.probing) { messages in
                var failed: Set<String> = []
                return messages.map { message in
                    if let key = message.key, failed.contains(key) { return .unavailable("behind") }
                    do {
                        try body(message)
                        return .delivered
                    } catch {
                        if let key = message.key { failed.insert(key) }
                        return Outcome(thrown: error)
                    }
                }
            }
        case .routes:
            return .routes(
                ["a": .handler { try body($0) }], otherwise: .handler { try body($0) },
                settings: DeliverySettings(retry: retry, breaker: self.probing))
        }
    }

    @Test(arguments: Shape.allCases) func anOutageWritesNothingAndSpendsNothing(_ shape: Shape) async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 1000, keys: 70)
        try self.fill(outbox, 300, keys: 10, to: "other")
        let calls = Atomic(0)
        let others = Atomic(0)
        let taken = Taken()
        let wasDeferred = Atomic(false)
        let relay = self.relay(
            outbox,
            [
                "d": self.handler(shape) { message in
                    if !outbox.deferred().isEmpty { wasDeferred.store(true, ordering: .relaxed) }
                    // Down until the other destination is done, and for a while.
                    let calls = calls.add(1, ordering: .relaxed).newValue
                    if calls < 150 || others.load(ordering: .relaxed) < 300 {
                        throw DeliveryFailure.unavailable("down")
                    }
                    taken.add(message)
                },
                "other": .handler { _ in others.add(1, ordering: .relaxed) },
            ])
        let events = try await self.run(relay, until: self.delivered(1000))
        let hasDeferred = wasDeferred.load(ordering: .relaxed)
        #expect(!hasDeferred)
        #expect(taken.ids.count == 1000 && Set(taken.ids).count == 1000)
        #expect(taken.attempts == [1])
        #expect(taken.isOrderedByKey)
        #expect(events.filter(self.isOpened).count == 1)
        #expect(events.filter(self.isClosed) == [.closed(destination: "d")])
        #expect(events.filter(self.isRetried).isEmpty)
        #expect(outbox.pending().isEmpty)
    }

    @Test func messagesThatWereDeferredBeforeAreHeldToo() async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 10, keys: 3)
        let calls = Atomic(0)
        let taken = Taken()
        let relay = self.relay(
            outbox,
            [
                "d": self.handler(.single) { message in
                    let calls = calls.add(1, ordering: .relaxed).newValue
                    // Each key's first fails once; then, all of them being deferred, the destination is down.
                    if message.attempt == 1, message.id <= 3 { throw Refused() }
                    if calls < 60 { throw DeliveryFailure.unavailable("down") }
                    taken.add(message)
                }
            ])
        let events = try await self.run(relay, until: self.delivered(10))
        #expect(taken.ids.count == 10 && taken.isOrderedByKey)
        #expect(taken.attempts == [1, 2], "the outage was not counted")
        #expect(events.filter(self.isRetried).count == 3)
        #expect(events.filter(self.isOpened).count == 1)
        #expect(outbox.deferred().isEmpty && outbox.pending().isEmpty)
    }

    @Test func failuresOfManyKeysOpen() async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 200, keys: 200)
        let calls = Atomic(0)
        let taken = Taken()
        let relay = self.relay(
            outbox,
            [
                "d": self.handler(.single) { message in
                    if calls.add(1, ordering: .relaxed).newValue < 150 { throw Refused() }
                    taken.add(message)
                }
            ])
        let events = try await self.run(relay, until: self.delivered(200))
        #expect(events.filter(self.isOpened).count == 1)
        #expect(
            events.filter(self.isRetried).count == 19, "of those before it opened, and no others, an attempt is counted"
        )
        #expect(taken.ids.count == 200 && taken.attempts == [1, 2])
        #expect(outbox.deadLetters().isEmpty)
    }

    @Test func failuresOfOneKeyDoNot() async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 50, keys: 1)
        let calls = Atomic(0)
        let relay = self.relay(
            outbox,
            [
                "d": self.handler(.single, retry: .constant(.zero, maximumAttempts: 100)) { _ in
                    if calls.add(1, ordering: .relaxed).newValue < 60 { throw Refused() }
                }
            ])
        let events = try await self.run(relay, until: self.delivered(50))
        #expect(!events.contains(where: self.isOpened))
        #expect(events.filter(self.isRetried).count == 59)
    }

    @Test(arguments: Shape.allCases) func aMessageThatAloneFailsStopsNobody(_ shape: Shape) async throws {
        let outbox = InMemoryOutbox()
        // Alone when it opens the breaker, and for some probes: the others come later, one behind it.
        let poison = try outbox.enqueue(NewMessage(to: "d", key: "poison", text: "x"))
        let taken = Taken()
        let calls = Atomic(0)
        let relay = self.relay(
            outbox,
            [
                "d": self.handler(shape, retry: .constant(.milliseconds(1))) { message in
                    if message.id != poison { return taken.add(message) }
                    if calls.add(1, ordering: .relaxed).newValue == 5 {
                        try outbox.enqueue(NewMessage(to: "d", key: "poison", text: "behind"))
                        try self.fill(outbox, 500, keys: 100)
                    }
                    throw DeliveryFailure.unavailable("always")
                }
            ])
        _ = try await self.run(relay, until: self.delivered(500))
        #expect(taken.ids.count == 500 && taken.isOrderedByKey)
        let left = (outbox.deferred().map(\.id) + outbox.pending().map(\.id)).sorted()
        #expect(left.count >= 2 && left.first == poison)
        #expect(outbox.deferred().allSatisfy { $0.attempts == 0 })
    }

    @Test func aRelayEndsWhileTheDestinationIsDownAndAnotherGoesOn() async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 300, keys: 20)
        let calls = Atomic(0)
        let first = self.relay(
            outbox,
            [
                "d": .handler(breaker: .opening(initialDelay: .seconds(3600), maximumDelay: .seconds(3600))) { _ in
                    calls.add(1, ordering: .relaxed)
                    throw DeliveryFailure.unavailable("down")
                }
            ])
        let events = try await self.run(first, until: self.isOpened)
        #expect(events.last == .stopped)
        #expect(calls.load(ordering: .relaxed) <= 64)
        #expect(outbox.deferred().isEmpty)
        #expect(outbox.pending().count == 300)

        let taken = Taken()
        let second = self.relay(outbox, ["d": .handler { taken.add($0) }])
        _ = try await self.run(second, until: self.delivered(300))
        #expect(taken.ids.count == 300 && taken.isOrderedByKey && taken.attempts == [1])
        #expect(outbox.pending().isEmpty)
    }

    @Test func aDestinationThatIsDownIsNotReadAndKeepsNobodyBusy() async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 300, keys: 300)
        let reads = ReadCounter()
        let begun = Atomic(0)
        let isFirstPageBegun = Latch()
        let relay = self.relay(
            CountingStore(store: outbox, counter: reads),
            [
                "d": .handler(
                    retry: .constant(.milliseconds(20)), concurrency: 8,
                    breaker: .opening(initialDelay: .milliseconds(1), maximumDelay: .milliseconds(1))
                ) { message in
                    // The first page is done, but for one that is deferred, and due while the destination is down.
                    if message.id <= 100 {
                        if begun.add(1, ordering: .relaxed).newValue == 100 { isFirstPageBegun.open() }
                        if message.id == 1, message.attempt == 1 { throw Refused() }
                        return
                    }
                    // Otherwise the destination may be down before a lane has come to the first page's last message.
                    try await isFirstPageBegun.pass()
                    if reads.calls.add(1, ordering: .relaxed).newValue == 200 { reads.done() }
                    throw DeliveryFailure.unavailable("down")
                }
            ])
        async let end: Void = relay.run()
        await reads.finished()
        relay.stop()
        try await end
        // Three pages of 100 were read, and some to find nothing; each probe wakes the relay to set the next one's time.
        #expect(reads.messages.load(ordering: .relaxed) <= 20)
        #expect(reads.all.load(ordering: .relaxed) < 4 * 200)
        #expect(outbox.pending().count == 200)
    }

    @Test func aLostSessionFindsOutAnew() async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 300, keys: 20)
        let taken = Taken()
        let openings = Atomic(0)
        let relay = self.relay(
            outbox,
            [
                "d": self.handler(.single) { message in
                    if openings.load(ordering: .relaxed) < 3 { throw DeliveryFailure.unavailable("down") }
                    taken.add(message)
                }
            ])
        let done = self.delivered(300)
        let events = try await self.run(relay) { event in
            if self.isOpened(event), openings.add(1, ordering: .relaxed).newValue < 3 { outbox.disconnectSessions() }
            return done(event)
        }
        #expect(events.filter(self.isOpened).count == 3)
        #expect(taken.ids.count == 300 && taken.isOrderedByKey && taken.attempts == [1])
        #expect(outbox.deferred().isEmpty && outbox.pending().isEmpty)
    }

    @Test func aProbeIsOneMessageOfABatch() async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 100, keys: 100)
        let sizes = Mutex<[Int]>([])
        let relay = self.relay(
            outbox,
            [
                "d": .batch(maximumCount: 50, concurrency: 1, breaker: self.probing) { messages in
                    let calls = sizes.withLock { sizes in
                        sizes.append(messages.count)
                        return sizes.count
                    }
                    if calls < 5 { throw DeliveryFailure.unavailable("down") }
                    return messages.map { _ in .delivered }
                }
            ])
        let sum = Atomic(0)
        _ = try await self.run(relay) { event in
            guard case .closed = event else { return false }
            return sum.add(1, ordering: .relaxed).newValue == 1
        }
        #expect(sizes.withLock { Array($0.prefix(5)) } == [50, 1, 1, 1, 1])
        #expect(sizes.withLock { $0.reduce(0, +) } >= 100)
        #expect(outbox.pending().isEmpty)
    }

    /// No handler should: a message that is alone is behind nothing.
    @Test func aProbeThatIsBehindHasFailed() async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 100, keys: 10)
        let calls = Atomic(0)
        let relay = self.relay(
            outbox,
            [
                "d": .batch(maximumCount: 10, breaker: self.probing) { messages in
                    switch calls.add(1, ordering: .relaxed).newValue {
                    case 1...4: messages.map { _ in .unavailable("down") }
                    case 5...20: messages.map { _ in .behind }
                    default: messages.map { _ in .delivered }
                    }
                }
            ])
        let events = try await self.run(relay, until: self.delivered(100))
        #expect(events.filter(self.isOpened).count == 1 && events.filter(self.isClosed).count == 1)
        #expect(outbox.pending().isEmpty && outbox.deferred().isEmpty && outbox.deadLetters().isEmpty)
    }

    /// A probe that never ends is parked as any call, and is no reason to give its destination up.
    @Test(arguments: Shape.allCases) func aProbeThatHangsHasFailed(_ shape: Shape) async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 100, keys: 100)
        let forever = Latch()
        let calls = Atomic(0)
        let hung = Atomic<Int64>(0)
        let isHanging: @Sendable (Message) throws -> Bool = { message in
            switch calls.add(1, ordering: .relaxed).newValue {
            case 1...3: throw DeliveryFailure.unavailable("down")
            case 4:
                hung.store(message.id, ordering: .relaxed)
                return true
            default: return false
            }
        }
        let handler: DestinationHandler
        switch shape {
        case .single, .sequential, .routes:
            let settings = DeliverySettings(concurrency: 2, breaker: self.probing, parking: .after(.milliseconds(2)))
            let body: @Sendable (Message) async throws -> Void = { message in
                if try isHanging(message) { try await forever.pass() }
            }
            handler =
                shape == .routes
                ? .routes([:], otherwise: .handler(body), settings: settings) : .handler(settings: settings, body)
        case .batch:
            handler = .batch(maximumCount: 10, concurrency: 2, breaker: self.probing, parking: .after(.milliseconds(2)))
            {
                messages in
                for message in messages where try isHanging(message) { try await forever.pass() }
                return messages.map { _ in .delivered }
            }
        }
        let relay = self.relay(outbox, ["d": handler])
        let others = self.delivered(99)
        let all = self.delivered(100)
        let events = try await self.run(relay) { event in
            if others(event) { forever.open() }
            return all(event)
        }
        #expect(events.contains(.parked(id: hung.load(ordering: .relaxed), destination: "d")))
        #expect(outbox.pending().isEmpty && outbox.deferred().isEmpty && outbox.deadLetters().isEmpty)
    }

    /// A destination that takes its time is up all the same: a probe that was parked counts when it ends.
    @Test func probesThatAreAlwaysParkedEndAnOutage() async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 1, keys: 1)
        let parked = Latch()
        let calls = Atomic(0)
        let relay = self.relay(
            outbox,
            [
                "d": .handler(concurrency: 1, breaker: self.probing, parking: .after(.milliseconds(2))) { _ in
                    if calls.add(1, ordering: .relaxed).newValue == 1 { throw DeliveryFailure.unavailable("down") }
                    try await parked.pass()
                }
            ])
        let events = try await self.run(relay) { event in
            if case .parked = event { parked.open() }
            return self.isClosed(event)
        }
        #expect(events.filter(self.isClosed).count == 1)
        #expect(calls.load(ordering: .relaxed) == 2)
    }

    @Test func withoutABreakerEachMessageIsDeferred() async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 100, keys: 100)
        let calls = Atomic(0)
        let relay = self.relay(
            outbox,
            [
                "d": .handler(retry: .constant(.zero), breaker: .off) { _ in
                    if calls.add(1, ordering: .relaxed).newValue <= 100 { throw DeliveryFailure.unavailable("down") }
                }
            ])
        let events = try await self.run(relay, until: self.delivered(100))
        #expect(!events.contains(where: self.isOpened))
        #expect(events.filter(self.isRetried).count == 100)
    }
}

/// Counts how often a relay reads.
private final class ReadCounter: Sendable {
    let calls = Atomic(0)
    let all = Atomic(0)
    /// Those that ask for messages of the log.
    let messages = Atomic(0)
    private let (stream, continuation) = AsyncStream.makeStream(of: Void.self)

    func done() { self.continuation.finish() }
    func finished() async { for await _ in self.stream {} }
}

private struct CountingStore: RelayStore {
    let store: InMemoryOutbox
    let counter: ReadCounter

    func openSession(subscription: String, logger: Logger) async throws -> any RelaySession {
        CountingSession(
            session: try await self.store.openSession(subscription: subscription, logger: logger), counter: self.counter
        )
    }
}

private actor CountingSession: RelaySession {
    private let session: any RelaySession
    private let counter: ReadCounter

    init(session: any RelaySession, counter: ReadCounter) {
        self.session = session
        self.counter = counter
    }

    func attach(
        _ destinations: [Destination], andOthers: Bool, from position: FirstPosition, lookingEvery interval: Duration
    ) async throws -> [AttachedStream] {
        try await self.session.attach(destinations, andOthers: andOthers, from: position, lookingEvery: interval)
    }

    func release(_ streams: [StreamID]) async throws { try await self.session.release(streams) }

    func read(_ requests: [ReadRequest], until deadline: ContinuousClock.Instant?) async throws -> ReadResult {
        self.counter.all.add(1, ordering: .relaxed)
        if requests.contains(where: { $0.messages > 0 }) { self.counter.messages.add(1, ordering: .relaxed) }
        return try await self.session.read(requests, until: deadline)
    }

    func commit(_ settlements: [Settlement]) async throws -> [StreamID: RelayError] {
        try await self.session.commit(settlements)
    }

    func deferredKeys() async throws -> [StreamID: [UInt64: Int]] { try await self.session.deferredKeys() }

    nonisolated func wake() { self.session.wake() }

    func close() async { await self.session.close() }
}
