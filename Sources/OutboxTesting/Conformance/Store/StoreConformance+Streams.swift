import Logging
import Outbox
import Synchronization

/// Streams come and go while a session owns them.
extension StoreConformance {
    static let streamChecks: [Check] = [
        Check("a destination that comes later is attached where all are wanted") { fixture in
            let session = try await OpenSession(fixture, [.orders], andOthers: true)
            try await session.use {
                let ids = try await fixture.enqueue(.numbered(3, to: .invoices))
                let stream = try await session.attached(1)[0]
                try require(stream.destination, equals: .invoices, "the destination that was attached")
                try require(try await session.receive(3, of: [stream.id]).ids, equals: ids, "what was read of it")
            }
        },

        Check("a destination that comes later is not attached where it is not wanted") { fixture in
            let session = try await OpenSession(fixture, [.orders], andOthers: false)
            try await session.use {
                _ = try await fixture.enqueue(.numbered(3, to: .invoices))
                let ids = try await fixture.enqueue(.numbered(1))
                let streams = session.streams
                try require(try await session.receive(1, of: streams).ids, equals: ids, "what was read")
                try require(session.streams, equals: streams, "the session's streams")
            }
        },

        Check("a stream that is split is lost, and its parts are read from where it was committed") { fixture in
            let session = try await OpenSession(fixture, [.orders], andOthers: false)
            try await session.use {
                let ids = try await fixture.enqueue((0..<40).map { NewMessage(to: .orders, key: "k\($0)", text: "") })
                let whole = session.streams
                let pages = try await session.receive(40, of: whole, messages: 10)
                try await session.pass(pages[0])
                try await fixture.split(.orders)
                // The relay does not know yet.
                try await session.pass(pages[3])
                try require(try await session.lost(1), equals: whole, "the streams that are lost")
                let parts = Set(try await session.attached(2).map(\.id))
                try require(parts.count == 2, "two streams have the same id")
                let read = try await session.receive(30, of: parts)
                try require(read.ids.sorted(), equals: Array(ids[10...]), "what the parts have read")
                for part in parts {
                    let own = read.filter { $0.stream == part }.ids
                    try require(zip(own, own.dropFirst()).allSatisfy(<), "a part is not read in order: \(own)")
                    try require(!own.isEmpty, "a part has read nothing")
                }
            }
        },

        Check(
            "a split while a relay works loses nothing, repeats what was in flight at most, and keeps the order of keys"
        ) { fixture in
            try await StreamsAtWork(fixture).run()
        },
    ]
}

/// A session that a check reads with, and the streams that it has.
final class OpenSession: Sendable {
    private let session: any RelaySession
    private let patience: Duration
    private let state: Mutex<(streams: Set<StreamID>, attached: [AttachedStream], lost: Set<StreamID>)>

    init(
        _ fixture: any StoreFixture, _ destinations: [Destination], andOthers: Bool,
        from position: FirstPosition = .startOfLog
    ) async throws {
        let session = try await fixture.store.openSession(
            subscription: "main", logger: Logger(label: "outbox.conformance"))
        self.session = session
        self.patience = fixture.patience
        let attached = try await session.attach(
            destinations, andOthers: andOthers, from: position, lookingEvery: .milliseconds(20))
        self.state = Mutex((Set(attached.map(\.id)), [], []))
    }

    func use(_ body: () async throws -> Void) async throws {
        do { try await body() } catch {
            await self.session.close()
            throw error
        }
        await self.session.close()
    }

    var streams: Set<StreamID> { self.state.withLock(\.streams) }

    /// Reads once of some streams, as far as the session has them.
    private func read(_ streams: Set<StreamID>, messages: Int, until deadline: ContinuousClock.Instant) async throws
        -> [any MessagePage]
    {
        let requests = streams.intersection(self.streams).map {
            ReadRequest(stream: $0, messages: messages, bytes: 1 << 30, deferred: false)
        }
        let result = try await self.session.read(requests, until: deadline)
        try require(result.attached.isEmpty || result.pages.isEmpty, "a result has pages and attaches streams")
        self.state.withLock { state in
            state.streams.subtract(result.detached)
            state.lost.formUnion(result.detached)
            state.attached += result.attached
            state.streams.formUnion(result.attached.map(\.id))
        }
        if !result.detached.isEmpty { try await self.session.release(result.detached) }
        return result.pages.filter { !result.detached.contains($0.stream) }
    }

    /// Reads until so many messages have come.
    func receive(_ count: Int, of streams: Set<StreamID>, messages: Int = 1000) async throws -> [any MessagePage] {
        let limit = ContinuousClock.now + self.patience
        var pages: [any MessagePage] = []
        while pages.ids.count < count {
            try require(limit > .now, "\(count) messages were to be read, but only \(pages.ids) have come")
            pages += try await self.read(streams, messages: messages, until: limit)
        }
        try require(pages.ids.count == count, "\(count) messages were to be read, but these have come: \(pages.ids)")
        return pages
    }

    /// Reads nothing, until so many streams have been attached.
    func attached(_ count: Int) async throws -> [AttachedStream] {
        try await self.wait("\(count) streams were to be attached") { $0.attached.count >= count }
        return self.state.withLock(\.attached)
    }

    /// Reads nothing, until the session has so many streams: the one before may not have lost them yet.
    func owns(_ count: Int) async throws {
        try await self.wait("\(count) streams were to be the session's") { $0.streams.count >= count }
    }

    /// Reads nothing, until so many streams are lost.
    func lost(_ count: Int) async throws -> Set<StreamID> {
        try await self.wait("\(count) streams were to be lost") { $0.lost.count >= count }
        return self.state.withLock(\.lost)
    }

    private func wait(
        _ what: String, _ isDone: ((streams: Set<StreamID>, attached: [AttachedStream], lost: Set<StreamID>)) -> Bool
    ) async throws {
        let limit = ContinuousClock.now + self.patience
        while !self.state.withLock({ isDone($0) }) {
            try require(limit > .now, "\(what), but are not")
            _ = try await self.read([], messages: 0, until: limit)
        }
    }

    /// Commits a page as passed.
    func pass(_ page: any MessagePage) async throws {
        var settlement = Settlement(stream: page.stream)
        settlement.through = page
        let refused = try await self.session.commit([settlement])
        try require(refused.isEmpty, "a commit was refused: \(refused.values.map(\.message))")
    }
}

/// A relay that delivers while the stream of its destination is split, and destinations come.
private struct StreamsAtWork {
    private static let window = 60
    private static let splits = 4
    private let fixture: any StoreFixture
    private let trace: DeliveryTrace

    init(_ fixture: any StoreFixture) {
        self.fixture = fixture
        self.trace = DeliveryTrace(patience: fixture.patience)
    }

    func run() async throws {
        var settings = RelaySettings()
        settings.page.messages = 20
        settings.window.messages = Self.window
        settings.commit.interval = .milliseconds(1)
        var routes: RelayRoutes = [:]
        let trace = self.trace
        routes.others = .handler(concurrency: 8) { message in await trace.deliver(message) }
        var logger = Logger(label: "outbox.conformance")
        logger.logLevel = .critical
        let relay = Relay(store: self.fixture.store, routes: routes, settings: settings, logger: logger)
        let events = relay.events
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await relay.run() }
            group.addTask {
                for await event in events {
                    if case .disconnected(let reason, _) = event {
                        relay.stop()
                        throw ConformanceFailure("the session ended: \(reason)")
                    }
                }
            }
            group.addTask {
                defer { relay.stop() }
                try await self.work()
            }
            try await group.waitForAll()
        }
        try require(self.trace.now.faults, equals: [], "what went wrong with the order of keys")
        let repeated = self.trace.now.repetitionCount
        // The window may be exceeded by a page.
        let bound = Self.splits * (Self.window + 20)
        try require(repeated <= bound, "\(repeated) messages were repeated, of which \(bound) can have been in flight")
    }

    private func work() async throws {
        var enqueued: [Destination: [Int64]] = [:]
        for round in 0...Self.splits {
            let messages = (0..<300).map { number in
                NewMessage(to: .orders, key: number % 5 == 0 ? nil : "k\(number % 37)", text: "\(number)")
            }
            enqueued[.orders, default: []] += try await self.fixture.enqueue(messages)
            if round % 2 == 0 {
                let new = Destination("new \(round)")
                enqueued[new] = try await self.fixture.enqueue(.numbered(5, to: new))
            }
            let count = 300 * round + 100
            try await self.trace.eventually("some were delivered") { $0.ids[.orders, default: []].count >= count }
            if round < Self.splits { try await self.fixture.split(.orders) }
        }
        let all = enqueued
        try await self.trace.eventually("all were delivered") { $0.has(all) }
    }
}
