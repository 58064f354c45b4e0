import Logging
import OutboxRuntime
import OutboxTesting
import Synchronization
import Testing

@testable import Outbox

/// Processes that are killed while they wait for a destination: no message is to blame.
@Suite(.timeLimit(.minutes(5))) struct ContactTests {
    /// A transport whose other side answers when a test says so.
    private final class Remote: Transport {
        /// Called when the relay asks for contact; returns when it is known.
        private let answer: @Sendable () async -> TransportHealth
        private let outcome: @Sendable (Message) async throws -> Outcome
        private let closes = Latch()
        let calls = Calls()

        init(
            health: TransportHealth = .starting, _ answer: @escaping @Sendable () async -> TransportHealth,
            _ outcome: @escaping @Sendable (Message) async throws -> Outcome
        ) {
            self.health = health
            self.answer = answer
            self.outcome = outcome
        }

        var description: String { "remote" }
        let health: TransportHealth
        func run() async throws { try await self.closes.pass() }
        func close() async { self.closes.open() }
        func contact() async -> TransportHealth { await self.answer() }

        func deliver(_ batch: MessageBatch) async throws -> [Outcome] {
            var outcomes: [Outcome] = []
            for message in batch {
                self.calls.begin(message)
                defer { self.calls.end() }
                outcomes.append(try await self.outcome(message))
            }
            return outcomes
        }
    }

    private let probing = BreakerPolicy.opening(initialDelay: .milliseconds(1), maximumDelay: .milliseconds(1))

    private func route(_ transport: Remote) -> DestinationHandler {
        .transport(
            transport,
            settings: DeliverySettings(
                retry: .constant(.zero, maximumAttempts: 2), breaker: self.probing, parking: .never))
    }

    private func fill(_ outbox: InMemoryOutbox, _ count: Int, to destination: Destination = "d") throws {
        for number in 0..<count {
            try outbox.enqueue(NewMessage(to: destination, key: "k\(number % 3)", text: "\(number)"))
        }
    }

    /// Runs a relay until it is killed.
    private func kill(_ store: any RelayStore, _ routes: RelayRoutes, when killed: Latch) async throws {
        let relay = RelayUnderTest.make(store, routes)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { do { try await relay.run() } catch is CancellationError {} }
            group.addTask { await killed.wait() }
            try await group.next()
            #expect(killed.isOpen, "the relay has ended by itself")
            group.cancelAll()
        }
    }

    /// Delivers all there is, and checks that nothing that happened before was counted.
    private func deliverAll(_ outbox: InMemoryOutbox, _ count: Int) async throws {
        let remote = Remote {
            .up
        } _: { _ in
            .delivered
        }
        let relay = RelayUnderTest.make(outbox, ["d": self.route(remote)])
        let delivered = Atomic(0)
        try await RelayUnderTest.run(relay) { event in
            guard case .delivered = event else { return nil }
            return delivered.add(1, ordering: .relaxed).newValue == count ? .gracefully : nil
        }
        #expect(outbox.deadLetters().isEmpty && outbox.deferred().isEmpty && outbox.pending().isEmpty)
        #expect(Set(remote.calls.ids).count == count && remote.calls.isOrderedByKey)
        #expect(remote.calls.all.allSatisfy { $0.attempt == 1 })
    }

    /// The broker accepts connections and says nothing, and the process is killed before that is called an outage.
    @Test func whoIsKilledWhileItWaitsForContactHasBegunNothing() async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 6)
        let store = StartsStore(outbox)
        var hasAskedForContact = 0
        for _ in 0..<8 {
            let killed = Latch()
            let asked = Atomic(0)
            let never = Latch()
            let remote = Remote {
                // Once at the start, and once for a message.
                if asked.add(1, ordering: .relaxed).newValue == 2 { killed.open() }
                await never.wait()
                return .starting
            } _: { _ in
                killed.open()
                try await never.pass()
                return .delivered
            }
            try await self.kill(store, ["d": self.route(remote)], when: killed)
            if asked.load(ordering: .relaxed) == 2 { hasAskedForContact += 1 }
            #expect(store.last?.suspect == nil)
        }
        #expect(hasAskedForContact == 6, "each but the first two is careful")
        try await self.deliverAll(outbox, 6)
    }

    /// It knows that the broker is out of reach, or the broker says so itself, and the process is killed between two probes.
    @Test(arguments: [true, false]) func whoIsKilledDuringAnOutageHasBegunNothing(isInContact: Bool) async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 6)
        let store = StartsStore(outbox)
        for _ in 0..<8 {
            let killed = Latch()
            let contacts = Atomic(0)
            let calls = Atomic(0)
            let remote = Remote {
                // Some probes later, when what the one before was noted for has been taken back.
                if contacts.add(1, ordering: .relaxed).newValue == 4 {
                    await store.untilNothingIsNoted()
                    killed.open()
                }
                return isInContact ? .up : .down("no answer")
            } _: { _ in
                if calls.add(1, ordering: .relaxed).newValue == 200 { killed.open() }
                return .unavailable("away")
            }
            try await self.kill(store, ["d": self.route(remote)], when: killed)
        }
        try await self.deliverAll(outbox, 6)
    }

    /// What crashes of earlier processes a message has to answer for is remembered through outages.
    @Test func anOutageTakesBackItsOwnAttemptOnly() async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 6)
        let store = StartsStore(outbox)
        let never = Latch()
        var crashes = 0
        var outages = 0
        while outbox.deadLetters().isEmpty, crashes < 20 {
            let isCrash = crashes < 3 || outages > 2
            let killed = Latch()
            let contacts = Atomic(0)
            let remote = Remote {
                if isCrash { return .up }
                if contacts.add(1, ordering: .relaxed).newValue == 3 { killed.open() }
                return .down("no answer")
            } _: { message in
                if message.id != 1 { return .delivered }
                killed.open()
                try await never.pass()
                return .delivered
            }
            let relay = RelayUnderTest.make(store, ["d": self.route(remote)])
            let events = relay.events
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { do { try await relay.run() } catch is CancellationError {} }
                group.addTask { await killed.wait() }
                group.addTask {
                    for await event in events {
                        if case .deadLettered = event { return }
                    }
                }
                try await group.next()
                group.cancelAll()
            }
            if isCrash { crashes += 1 } else { outages += 1 }
        }
        #expect(outbox.deadLetters().map(\.id) == [1] && outages == 3)
        // Two before there is care, and two attempts; the last of these processes has found it dead.
        #expect(crashes == 5)
    }

    /// What is parked while its transport waits for the other side was not begun, what is parked with contact was.
    @Test(arguments: [true, false]) func whatIsParkedWithoutContactCountsNoAttempt(isUp: Bool) async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 1)
        let never = Latch()
        let remote = Remote(health: isUp ? .up : .starting) {
            .up
        } _: { _ in
            try await never.pass()
            return .delivered
        }
        let relay = RelayUnderTest.make(
            outbox, ["d": .transport(remote, settings: DeliverySettings(parking: .after(.milliseconds(2))))])
        try await RelayUnderTest.run(relay) { event in
            if case .parked = event { .atOnce } else { nil }
        }
        #expect(outbox.deferred().map(\.attempts) == [isUp ? 1 : 0])
    }

    /// Two processes end while each delivers a message of d.
    private func crashTwice(_ outbox: InMemoryOutbox, waitingFor never: Latch) async throws {
        for _ in 0..<2 {
            let killed = Latch()
            let remote = Remote {
                .up
            } _: { _ in
                killed.open()
                try await never.pass()
                return .delivered
            }
            try await self.kill(outbox, ["d": self.route(remote)], when: killed)
        }
    }

    /// Care ends, after as many messages as may have been on their way, although one of them is still waiting.
    @Test func careEndsThoughAContactIsWaitedFor() async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 6)
        try self.fill(outbox, 100, to: "e")
        let never = Latch()
        // What crashed twice is careful the third time.
        try await self.crashTwice(outbox, waitingFor: never)
        let remote = Remote {
            await never.wait()
            return .starting
        } _: { _ in
            .delivered
        }
        let relay = RelayUnderTest.make(outbox, ["d": self.route(remote), "e": .handler { _ in }])
        let delivered = Atomic(0)
        try await RelayUnderTest.run(relay) { event in
            guard case .delivered = event else { return nil }
            return delivered.add(1, ordering: .relaxed).newValue == 106 ? .gracefully : nil
        }
        #expect(remote.calls.ids.count == 6 && remote.calls.isOrderedByKey)
        #expect(outbox.pending().isEmpty && outbox.deferred().isEmpty && outbox.deadLetters().isEmpty)
    }

    /// Waiting for one destination keeps nothing else waiting: others are delivered and committed, and the relay can be ended.
    @Test func whatWaitsForContactKeepsNothingElseWaiting() async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 6)
        try self.fill(outbox, 30, to: "e")
        let never = Latch()
        // What crashed twice is careful the third time.
        try await self.crashTwice(outbox, waitingFor: never)
        let remote = Remote {
            await never.wait()
            return .starting
        } _: { _ in
            .delivered
        }
        let most = Calls()
        let handler = DestinationHandler.handler(retry: .constant(.zero), breaker: self.probing) { message in
            most.begin(message)
            defer { most.end() }
            // Retries are looked for as well.
            if message.id % 10 == 0, message.attempt == 1 { throw DeliveryFailure.retry("once") }
        }
        let relay = RelayUnderTest.make(outbox, ["d": self.route(remote), "e": handler])
        let delivered = Atomic(0)
        try await RelayUnderTest.run(relay) { event in
            guard case .delivered(_, "e", _) = event else { return nil }
            return delivered.add(1, ordering: .relaxed).newValue == 30 ? .gracefully : nil
        }
        #expect(most.most == 1 && most.isOrderedByKey)
        #expect(remote.calls.all.isEmpty)
        #expect(outbox.pending().count == 6 && outbox.deferred().isEmpty && outbox.deadLetters().isEmpty)
    }
}

/// A store that remembers what was noted of processes' starts.
private final class StartsStore: RelayStore {
    private struct State {
        var last: StreamStart?
        var waiting: [Latch] = []
    }

    private let store: InMemoryOutbox
    private let state = Mutex(State())

    init(_ store: InMemoryOutbox) { self.store = store }

    var last: StreamStart? { self.state.withLock(\.last) }

    /// Returns when no message is noted.
    func untilNothingIsNoted() async {
        let latch = Latch()
        let isNoted = self.state.withLock { state in
            if state.last?.suspect == nil { return false }
            state.waiting.append(latch)
            return true
        }
        if isNoted { await latch.wait() }
    }

    func note(_ settlements: [Settlement]) {
        self.state.withLock { state in
            for settlement in settlements { state.last = settlement.start ?? state.last }
            if state.last?.suspect != nil { return }
            for latch in state.waiting { latch.open() }
            state.waiting.removeAll()
        }
    }

    func openSession(subscription: String, logger: Logger) async throws -> any RelaySession {
        StartsSession(try await self.store.openSession(subscription: subscription, logger: logger), self)
    }
}

private actor StartsSession: RelaySession {
    private let session: any RelaySession
    private let store: StartsStore

    init(_ session: any RelaySession, _ store: StartsStore) {
        self.session = session
        self.store = store
    }

    func attach(
        _ destinations: [Destination], andOthers: Bool, from position: FirstPosition, lookingEvery interval: Duration
    ) async throws -> [AttachedStream] {
        try await self.session.attach(destinations, andOthers: andOthers, from: position, lookingEvery: interval)
    }

    func release(_ streams: [StreamID]) async throws { try await self.session.release(streams) }

    func read(_ requests: [ReadRequest], until deadline: ContinuousClock.Instant?) async throws -> ReadResult {
        try await self.session.read(requests, until: deadline)
    }

    func commit(_ settlements: [Settlement]) async throws -> [StreamID: RelayError] {
        let refused = try await self.session.commit(settlements)
        self.store.note(settlements)
        return refused
    }

    func deferredKeys() async throws -> [StreamID: [UInt64: Int]] { try await self.session.deferredKeys() }
    nonisolated func wake() { self.session.wake() }
    func close() async { await self.session.close() }
}
