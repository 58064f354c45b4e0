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
                destinations, andOthers: andOthers, from: .startOfLog, lookingEvery: .milliseconds(5))
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
            let state = sessions.map {
                "\($0.streams.count) streams, \($0.surplus.count) of them surplus, \($0.ids.count) messages"
            }
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
            try require(
                self.streams.contains(page.stream),
                "a page came of the stream \(page.stream), which the session has not")
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
