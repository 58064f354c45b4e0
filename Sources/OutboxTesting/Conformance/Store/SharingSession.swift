import Logging
import Outbox
import Synchronization

/// One of several sessions that share streams: it reads what it has, commits it, and hands over what it is to hand over.
final class SharingSession: Sendable {
    private struct State {
        var streams: Set<StreamID> = []
        var surplus: Set<StreamID> = []
        var ids: [Int64] = []
        var commits = true
    }

    private let session: any RelaySession
    private let patience: Duration
    private let state: Mutex<State>

    /// Six destinations.
    static let many: [Destination] = (1...6).map { Destination("shared \($0)") }

    init(_ fixture: any StoreFixture, _ destinations: [Destination], andOthers: Bool = false) async throws {
        self.session = try await fixture.store.openSession(
            subscription: "main", logger: Logger(label: "outbox.conformance"))
        self.patience = fixture.patience
        do {
            let attached = try await self.session.attach(
                destinations, andOthers: andOthers, lookingEvery: .milliseconds(5))
            self.state = Mutex(State(streams: Set(attached.map(\.id))))
        } catch {
            await self.session.close()
            throw error
        }
    }

    /// Runs a closure with a session for each list of destinations, opened one after the other.
    static func with(
        _ fixture: any StoreFixture, _ routes: [[Destination]], andOthers: Bool = false,
        _ body: ([SharingSession]) async throws -> Void
    ) async throws {
        var sessions: [SharingSession] = []
        do {
            for destinations in routes {
                sessions.append(try await SharingSession(fixture, destinations, andOthers: andOthers))
            }
            try await body(sessions)
        } catch {
            for session in sessions { await session.close() }
            throw error
        }
        for session in sessions { await session.close() }
    }

    func use(_ body: () async throws -> Void) async throws {
        do { try await body() } catch {
            await self.close()
            throw error
        }
        await self.close()
    }

    var streams: Set<StreamID> { self.state.withLock(\.streams) }
    /// Streams that it was asked to give up, and has not.
    var surplus: Set<StreamID> { self.state.withLock(\.surplus) }
    /// What it has read.
    var ids: [Int64] { self.state.withLock(\.ids) }
    /// Whether it commits what it has read, and then hands over what it is to hand over.
    var commits: Bool {
        get { self.state.withLock(\.commits) }
        set { self.state.withLock { $0.commits = newValue } }
    }

    func leave() async { await self.session.leave() }
    func close() async { await self.session.close() }

    /// Lets the sessions read in turn until something is true of them.
    static func settle(_ sessions: [SharingSession], _ isTrue: ([SharingSession]) -> Bool) async throws {
        let limit = ContinuousClock.now + (sessions.first?.patience ?? .zero)
        while !isTrue(sessions) {
            let state = sessions.map { "\($0.streams.count) streams, \($0.surplus.count) of them surplus, \($0.ids.count) messages" }
            try require(limit > .now, "the sessions did not come to what was expected: \(state)")
            for session in sessions { try await session.step() }
        }
    }

    /// Reads until it has so many messages.
    func receive(_ count: Int) async throws {
        try await Self.settle([self]) { $0[0].ids.count >= count }
    }

    private func step() async throws {
        let (streams, commits) = self.state.withLock { ($0.streams.subtracting($0.surplus), $0.commits) }
        let requests = streams.map { ReadRequest(stream: $0, messages: 100, bytes: 1 << 20, deferred: false) }
        let result = try await self.session.read(requests, until: .now + .milliseconds(5))
        let pages = result.pages.filter { !result.detached.contains($0.stream) }
        for page in pages {
            try require(self.streams.contains(page.stream), "a page came of the stream \(page.stream), which the session has not")
        }
        if commits, !pages.isEmpty {
            // Of several pages of a stream the last one stands for all.
            let last = Dictionary(pages.map { ($0.stream, $0) }, uniquingKeysWith: { _, last in last })
            let refused = try await self.session.commit(
                last.map { stream, page in
                    var settlement = Settlement(stream: stream)
                    settlement.through = page
                    return settlement
                })
            try require(refused.isEmpty, "a commit was refused: \(refused.values.map(\.message))")
        }
        self.state.withLock { state in
            state.ids += pages.ids
            state.streams.subtract(result.detached)
            state.streams.formUnion(result.attached.map(\.id))
            state.surplus.formUnion(result.surplus)
            if !commits { return }
            state.streams.subtract(state.surplus)
        }
        if !result.detached.isEmpty { try await self.session.release(result.detached) }
        if !commits { return }
        let given = self.state.withLock { state in
            defer { state.surplus = [] }
            return Array(state.surplus)
        }
        if !given.isEmpty { try await self.session.release(given) }
    }
}

/// Relays that share the streams of several destinations, while some of them end and others begin, in good order all of them.
final class RelaysAtWork: Sendable {
    private struct Trace {
        var counts: [Int64: Int] = [:]
        var lastOfKey: [String: Int64] = [:]
        var running: Set<String> = []
        var faults: [String] = []
    }

    private let fixture: any StoreFixture
    private let trace = Mutex(Trace())

    init(_ fixture: any StoreFixture) { self.fixture = fixture }

    func run() async throws {
        var settings = RelaySettings()
        settings.page.messages = 20
        settings.window.messages = 60
        settings.commit.interval = .milliseconds(1)
        settings.standbyInterval = .milliseconds(10)
        var logger = Logger(label: "outbox.conformance")
        logger.logLevel = .critical
        let resolved = settings
        var ids: Set<Int64> = []
        try await withThrowingTaskGroup(of: Void.self) { group in
            var relays: [Relay] = []
            defer { for relay in relays { relay.stop() } }
            for round in 0..<8 {
                // 1, 2, 3, 2, 3, 2, 3, 2 relays.
                if round < 3 || round % 2 == 0 {
                    var routes: RelayRoutes = [:]
                    for destination in SharingSession.many {
                        routes[destination] = .handler(concurrency: 8) { message in await self.deliver(message) }
                    }
                    let relay = Relay(store: self.fixture.store, routes: routes, settings: resolved, logger: logger)
                    relays.append(relay)
                    group.addTask { try await relay.run() }
                } else {
                    relays.removeFirst().stop()
                }
                for number in 0..<3 {
                    let messages = SharingSession.many.flatMap { destination in
                        (0..<15).map { NewMessage(to: destination, key: $0 % 5 == 0 ? nil : "\(destination) \($0 % 7)", text: "\(number)") }
                    }
                    ids.formUnion(try await self.fixture.enqueue(messages))
                    let count = ids.count - 30
                    try await self.eventually("\(count) were delivered") { $0.counts.count >= count }
                }
            }
            let all = ids
            try await self.eventually("all were delivered") { all.isSubset(of: $0.counts.keys) }
            for relay in relays { relay.stop() }
            try await group.waitForAll()
        }
        let trace = self.trace.withLock { $0 }
        try require(trace.faults, equals: [], "what went wrong with the order of keys")
        let repeated = trace.counts.values.reduce(0) { $0 + $1 - 1 }
        try require(repeated, equals: 0, "how many messages were repeated")
    }

    private func deliver(_ message: Message) async {
        let (id, key) = (message.id, message.key)
        self.trace.withLock { trace in
            guard let key else { return }
            if !trace.running.insert(key).inserted { trace.faults.append("two of \(key) were delivered at the same time") }
            if id < trace.lastOfKey[key] ?? 0 { trace.faults.append("\(id) of \(key) came after \(trace.lastOfKey[key] ?? 0)") }
            trace.lastOfKey[key] = max(id, trace.lastOfKey[key] ?? 0)
        }
        await Task.yield()
        self.trace.withLock { trace in
            trace.counts[id, default: 0] += 1
            if let key { trace.running.remove(key) }
        }
    }

    private func eventually(_ what: String, _ isTrue: (Trace) -> Bool) async throws {
        let deadline = ContinuousClock.now + self.fixture.patience
        while !self.trace.withLock({ isTrue($0) }) {
            try require(deadline > .now, "this did not come true in time: \(what)")
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
