import Logging
import OutboxRuntime
import OutboxTesting
import Synchronization
import Testing

@testable import Outbox

/// A store that refuses to note that the delivery of one stream begins: that stream waits, and no other does.
@Suite(.timeLimit(.minutes(5))) struct RefusedStartTests {
    private func fill(_ outbox: InMemoryOutbox, _ count: Int, to destination: Destination) throws {
        for number in 0..<count {
            try outbox.enqueue(NewMessage(to: destination, key: "\(destination)-\(number % 3)", text: "\(number)"))
        }
    }

    private func pending(_ outbox: InMemoryOutbox, _ destination: Destination) -> Int {
        outbox.pending().count { $0.message.destination == destination }
    }

    /// Runs a relay until so many messages were delivered.
    private func run(_ relay: Relay, until count: Int) async throws {
        let delivered = Atomic(0)
        try await RelayUnderTest.run(relay) { event in
            guard case .delivered = event else { return nil }
            return delivered.add(1, ordering: .relaxed).newValue == count ? .gracefully : nil
        }
    }

    /// Two processes are killed while each delivers a message of d: the third is careful.
    private func crashTwice(_ outbox: InMemoryOutbox) async throws {
        for _ in 0..<2 {
            let killed = Latch()
            let never = Latch()
            let relay = RelayUnderTest.make(
                outbox,
                [
                    "d": .handler(parking: .never) { _ in
                        killed.open()
                        try await never.pass()
                    }
                ])
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { do { try await relay.run() } catch is CancellationError {} }
                group.addTask { await killed.wait() }
                try await group.next()
                group.cancelAll()
            }
        }
    }

    /// While one message at a time is delivered, with so few others that this goes on, or so many that it ends meanwhile.
    @Test(arguments: [(isCareful: false, others: 90), (true, 10), (true, 90)])
    func onlyTheStreamWhoseStartIsRefusedWaits(isCareful: Bool, others: Int) async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 50, to: "d")
        if isCareful { try await self.crashTwice(outbox) }
        try self.fill(outbox, others, to: "e")
        let store = RefusingStore(outbox) { settlement, refusals in
            // Until all that is of the other stream is stored, and this was tried again.
            settlement.destination == "d" && (self.pending(outbox, "e") > 0 || refusals < 2)
        }
        let calls = Calls()
        let relay = RelayUnderTest.make(
            store,
            [
                "d": .handler { message in
                    #expect(store.hasAccepted("d"), "nothing is delivered before its start is noted")
                    calls.begin(message)
                    calls.end()
                },
                "e": .handler {
                    calls.begin($0); calls.end()
                },
            ])
        try await self.run(relay, until: 50 + others)
        #expect(calls.ids.count == 50 + others && Set(calls.ids).count == 50 + others, "each once")
        #expect(calls.isOrderedByKey)
        #expect(store.sessionCount == 1 && store.refusalCount >= 2)
        #expect(outbox.pending().isEmpty && outbox.deferred().isEmpty && outbox.deadLetters().isEmpty)
    }

    /// The session before has committed nothing, so this one delivers nothing before it has.
    @Test func whereTheLastSessionHasCommittedNothingOnlyThatStreamWaitsToo() async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 20, to: "d")
        try self.fill(outbox, 20, to: "e")
        // Both at first, then d until all of e is stored.
        let store = RefusingStore(outbox) { settlement, refusals in
            refusals < 2 || settlement.destination == "d" && self.pending(outbox, "e") > 0
        } losing: { settlement in
            settlement.session == 1
        }
        let calls = Calls()
        let handler = DestinationHandler.handler { message in
            #expect(store.hasAccepted(message.destination), "nothing is delivered before its start is noted")
            if message.destination == "d" { #expect(self.pending(outbox, "e") == 0) }
            calls.begin(message)
            calls.end()
        }
        try await self.run(RelayUnderTest.make(store, ["d": handler, "e": handler]), until: 40)
        #expect(store.sessionCount == 2 && store.refusalCount >= 2)
        #expect(calls.ids.count == 40 && Set(calls.ids).count == 40 && calls.isOrderedByKey)
        #expect(outbox.pending().isEmpty && outbox.deadLetters().isEmpty)
    }

    /// What is kept is read again by the next relay.
    @Test(arguments: [false, true]) func aRelayEndsAtOnceThoughAStartIsRefused(isCareful: Bool) async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 30, to: "d")
        if isCareful { try await self.crashTwice(outbox) }
        try self.fill(outbox, 10, to: "e")
        let store = RefusingStore(outbox) { settlement, _ in settlement.destination == "d" }
        let calls = Calls()
        let handler = DestinationHandler.handler {
            calls.begin($0)
            calls.end()
        }
        try await self.run(RelayUnderTest.make(store, ["d": handler, "e": handler]), until: 10)
        #expect(self.pending(outbox, "d") == 30 && self.pending(outbox, "e") == 0 && store.sessionCount == 1)
        try await self.run(RelayUnderTest.make(outbox, ["d": handler, "e": handler]), until: 30)
        #expect(calls.ids.count == 40 && Set(calls.ids).count == 40)
        #expect(outbox.pending().isEmpty && outbox.deadLetters().isEmpty)
    }

    /// What found its destination down was no attempt. That this cannot be noted keeps no other stream waiting, and is noted later.
    @Test func anAttemptThatCannotBeTakenBackIsTakenBackLater() async throws {
        let outbox = InMemoryOutbox()
        try self.fill(outbox, 1, to: "d")
        try await self.crashTwice(outbox)
        try self.fill(outbox, 10, to: "e")
        let hasFailed = Atomic(false)
        let hasTakenBack = Latch()
        let store = RefusingStore(outbox) { settlement, _ in
            settlement.destination == "d" && hasFailed.load(ordering: .acquiring) && self.pending(outbox, "e") > 0
        } accepted: { settlement in
            if settlement.destination == "d", settlement.start?.suspect == nil, hasFailed.load(ordering: .acquiring) {
                hasTakenBack.open()
            }
        }
        let hour = Duration.seconds(3600)
        let relay = RelayUnderTest.make(
            store,
            [
                "d": .handler(breaker: .opening(initialDelay: hour, maximumDelay: hour)) { _ in
                    hasFailed.store(true, ordering: .releasing)
                    throw DeliveryFailure.unavailable("down")
                },
                "e": .handler { _ in },
            ])
        async let run: Void = relay.run()
        await hasTakenBack.wait()
        relay.stop()
        try await run
        #expect(store.sessionCount == 1 && self.pending(outbox, "e") == 0 && self.pending(outbox, "d") == 1)
    }
}

/// A store that refuses, or loses its session with, what a test says.
private final class RefusingStore: RelayStore {
    struct Attempt {
        let destination: Destination
        let session: Int
        let start: StreamStart?
        let hasOutcomes: Bool
    }

    private struct State {
        var sessions = 0
        var refusals = 0
        var accepted: Set<Destination> = []
    }

    private let outbox: InMemoryOutbox
    private let state = Mutex(State())
    private let refuses: @Sendable (Attempt, Int) -> Bool
    private let loses: @Sendable (Attempt) -> Bool
    private let accepts: @Sendable (Attempt) -> Void

    /// - Parameter refuses: Told how many were refused before.
    init(
        _ outbox: InMemoryOutbox, refusing refuses: @escaping @Sendable (Attempt, Int) -> Bool,
        losing loses: @escaping @Sendable (Attempt) -> Bool = { _ in false },
        accepted accepts: @escaping @Sendable (Attempt) -> Void = { _ in }
    ) {
        self.outbox = outbox
        self.refuses = refuses
        self.loses = loses
        self.accepts = accepts
    }

    var sessionCount: Int { self.state.withLock(\.sessions) }
    var refusalCount: Int { self.state.withLock(\.refusals) }

    func hasAccepted(_ destination: Destination) -> Bool { self.state.withLock { $0.accepted.contains(destination) } }

    func openSession(subscription: String, logger: Logger) async throws -> any RelaySession {
        let session = try await self.outbox.openSession(subscription: subscription, logger: logger)
        let number = self.state.withLock { state in
            state.sessions += 1
            return state.sessions
        }
        return RefusingSession(session, self, number: number)
    }

    func isRefused(_ attempt: Attempt) -> Bool {
        let refusals = self.state.withLock(\.refusals)
        let isRefused = self.refuses(attempt, refusals)
        self.state.withLock { state in
            if isRefused { state.refusals += 1 } else { state.accepted.insert(attempt.destination) }
        }
        return isRefused
    }

    func isLost(_ attempt: Attempt) -> Bool { self.loses(attempt) }
    func accept(_ attempt: Attempt) { self.accepts(attempt) }
}

private actor RefusingSession: RelaySession {
    private let session: any RelaySession
    private let store: RefusingStore
    private let number: Int
    private var destinations: [StreamID: Destination] = [:]

    init(_ session: any RelaySession, _ store: RefusingStore, number: Int) {
        self.session = session
        self.store = store
        self.number = number
    }

    func release(_ streams: [StreamID]) async throws { try await self.session.release(streams) }

    func attach(
        _ destinations: [Destination], andOthers: Bool, from position: FirstPosition, lookingEvery interval: Duration
    ) async throws -> [AttachedStream] {
        let streams = try await self.session.attach(destinations, andOthers: andOthers, from: position, lookingEvery: interval)
        for stream in streams { self.destinations[stream.id] = stream.destination }
        return streams
    }

    func read(_ requests: [ReadRequest], until deadline: ContinuousClock.Instant?) async throws -> ReadResult {
        try await self.session.read(requests, until: deadline)
    }

    func commit(_ settlements: [Settlement]) async throws -> [StreamID: RelayError] {
        var refused: [StreamID: RelayError] = [:]
        var accepted: [(settlement: Settlement, attempt: RefusingStore.Attempt)] = []
        for settlement in settlements {
            var rest = settlement
            rest.start = nil
            let attempt = RefusingStore.Attempt(
                destination: self.destinations[settlement.stream] ?? "", session: self.number,
                start: settlement.start, hasOutcomes: !rest.isEmpty)
            if self.store.isLost(attempt) { throw RelayError(.connection, "the session is lost") }
            if self.store.isRefused(attempt) {
                refused[settlement.stream] = RelayError(.unavailable, "the row is locked")
            } else {
                accepted.append((settlement, attempt))
            }
        }
        try await self.session.commit(accepted.map(\.settlement))
        for (_, attempt) in accepted { self.store.accept(attempt) }
        return refused
    }

    func deferredKeys() async throws -> [StreamID: [UInt64: Int]] { try await self.session.deferredKeys() }
    nonisolated func wake() { self.session.wake() }
    func close() async { await self.session.close() }
}
