import Logging
import Outbox
import Synchronization

/// A session that does one thing wrong.
actor FaultySession: RelaySession {
    private let session: any RelaySession
    private let store: FaultyStore
    private let fault: Fault?
    private let wasWoken = Atomic(false)
    private var streams: [AttachedStream] = []
    private var lastLog: (any MessagePage)?
    private var hasChanged = false

    init(_ session: any RelaySession, store: FaultyStore) {
        self.session = session
        self.store = store
        self.fault = store.fault
    }

    func attach(
        _ destinations: [Destination], andOthers: Bool, from position: FirstPosition, lookingEvery interval: Duration
    ) async throws -> [AttachedStream] {
        self.streams = try await self.session.attach(
            destinations, andOthers: andOthers || self.fault == .attachesUnasked,
            from: self.fault == .ignoresFirstPosition ? .startOfLog : position,
            lookingEvery: interval)
        self.store.note(self.streams)
        switch self.fault {
        case .sharesOwnership:
            let others = self.store.known(destinations).filter { other in !self.streams.contains { $0.id == other.id } }
            return self.streams + others
        case .takesNothing:
            return []
        case .mixesDestinations:
            let ids = self.streams.map(\.id).reversed()
            return zip(self.streams, ids).map { stream, id in
                AttachedStream(id: id, destination: stream.destination, deferredKeys: [:], start: stream.start)
            }
        case .countsNoKeys:
            return self.streams.map { AttachedStream(id: $0.id, destination: $0.destination, deferredKeys: [:]) }
        case .startsAtTheEnd, .beginsAgain:
            if self.fault == .beginsAgain, position != .now { break }
            for stream in self.streams {
                let request = ReadRequest(stream: stream.id, messages: 1000, bytes: 1 << 30, deferred: false)
                for page in try await self.session.read([request], until: .now).pages { try await self.pass(page) }
            }
        default:
            break
        }
        return self.streams
    }

    func read(_ requests: [ReadRequest], until deadline: ContinuousClock.Instant?) async throws -> ReadResult {
        var result: ReadResult
        do {
            result = try await self.readFaultily(requests.map(self.changed), until: deadline)
        } catch let error as RelayError where self.fault == .hidesCut {
            _ = error
            return ReadResult()
        }
        if self.fault == .hidesChanges { result.deferredChanged = false }
        if self.fault == .hidesNewStreams || self.fault == .takesNothing { result.attached = [] }
        if self.fault == .keepsSurplus { result.surplus = [] }
        if self.fault == .hidesLostStreams { result.detached = [] }
        if self.fault == .hidesNextDue { result.nextDue = result.nextDue.mapValues { _ in nil } }
        if self.fault == .reportsOwnChanges && self.hasChanged { result.deferredChanged = true }
        if self.fault == .commitsWhileReading {
            for page in result.pages where page.origin == .log { try await self.pass(page) }
        }
        result.pages = result.pages.flatMap(self.changed)
        self.repeatLast(requests, &result)
        return result
    }

    private func readFaultily(
        _ requests: [ReadRequest], until deadline: ContinuousClock.Instant?
    ) async throws -> ReadResult {
        switch self.fault {
        case .returnsEarly:
            return try await self.session.read(requests, until: .now)
        case .missesDeadline:
            return try await self.session.read(requests, until: nil)
        case .keepsWake where self.wasWoken.load(ordering: .relaxed):
            return try await self.session.read(requests, until: .now)
        case .readsUnasked where requests.isEmpty:
            let all = self.streams.map { ReadRequest(stream: $0.id, messages: 10, bytes: 1 << 20, deferred: false) }
            return try await self.session.read(all, until: deadline)
        case .ignoresCancellation:
            let session = self.session
            return try await Task { try await session.read(requests, until: deadline) }.value
        case .losesWakeups:
            let result = try await self.session.read(requests, until: .now)
            guard result.pages.isEmpty, let deadline else { return result }
            try await Task.sleep(until: deadline, clock: .continuous)
            return result
        default:
            return try await self.session.read(requests, until: deadline)
        }
    }

    private func changed(_ request: ReadRequest) -> ReadRequest {
        var request = request
        switch self.fault {
        case .ignoresMessageLimit where !request.deferred: request.messages = 1000
        case .readsExcluded: request.excluding = []
        case .ignoresByteLimit: request.bytes = 1 << 40
        case .ignoresDeferredLimits where request.deferred: (request.messages, request.bytes) = (1000, 1 << 40)
        default: break
        }
        return request
    }

    private func changed(_ page: any MessagePage) -> [any MessagePage] {
        let rows = Array(0..<page.count)
        let highest = self.store.highest.withLock { highest in
            defer { highest[page.destination] = max(highest[page.destination] ?? 0, page.id(at: page.count - 1)) }
            return highest[page.destination] ?? 0
        }
        let late = page.origin == .log ? rows.filter { page.id(at: $0) < highest } : []
        let fresh = rows.filter { !late.contains($0) }
        func views(_ parts: [Int]...) -> [any MessagePage] {
            parts.filter { !$0.isEmpty }.map { PageView(page, rows: $0, fault: self.fault) }
        }
        switch self.fault {
        case .readsBackwards: return views(rows.reversed())
        case .losesLate: return views(fresh)
        case .deliversLateLast: return views(fresh, late)
        case .readsOnlyFirstOfKey where page.origin == .deferred: return views([0])
        default: return views(rows)
        }
    }

    private func repeatLast(_ requests: [ReadRequest], _ result: inout ReadResult) {
        if let page = result.pages.last(where: { $0.origin == .log }) {
            self.lastLog = page
        } else if self.fault == .repeatsPages, let page = self.lastLog {
            result.pages.append(page)
        }
    }

    func commit(_ settlements: [Settlement]) async throws -> [StreamID: RelayError] {
        var settlements = settlements.map(self.changed)
        if settlements.contains(where: { !$0.deferred.isEmpty || !$0.deferredDelivered.isEmpty }) {
            self.hasChanged = true
        }
        if self.fault == .refusesNothing && settlements.allSatisfy(\.isEmpty) {
            throw RelayError(.misuse, "Nothing to commit.")
        }
        if self.fault == .commitsOneStream { settlements = Array(settlements.prefix(1)) }
        do {
            return try await self.session.commit(settlements)
        } catch let error as RelayError {
            if self.fault == .commitsAfterCut { try await self.commitElsewhere(settlements) }
            if self.fault != .hidesCut { throw error }
            return [:]
        }
    }

    private func changed(_ settlement: Settlement) -> Settlement {
        var settlement = settlement
        settlement.through = (settlement.through as? PageView)?.page ?? settlement.through
        switch self.fault {
        case .forgetsCursor, .commitsWhileReading: settlement.through = nil
        case .defersForNoTime: settlement.deferred = settlement.deferred.map { $0.due(.after(.zero)) }
        case .defersForEver: settlement.deferred = settlement.deferred.map { $0.due(.behindKey) }
        case .ignoresScheduledTime, .neverWaitsBehindKey:
            settlement.deferred = settlement.deferred.map { deferral in
                if case .after = deferral.due { deferral } else { deferral.due(.after(.zero)) }
            }
        case .retriesAtOnce: settlement.deferredAgain = settlement.deferredAgain.map { $0.due(.after(.zero)) }
        case .neverPromotes: settlement.keys = []
        case .losesErrors:
            settlement.deferred = settlement.deferred.map { $0.due($0.due) }
            settlement.dead = settlement.dead.map {
                Death(id: $0.id, attempts: $0.attempts, reason: $0.reason, error: nil)
            }
        case .forgetsRetries: settlement.deferredAgain = []
        case .keepsDelivered: settlement.deferredDelivered = []
        case .losesDeadLetters: settlement.dead = []
        case .losesLastErrors:
            settlement.deferredDead = settlement.deferredDead.map {
                Death(id: $0.id, attempts: $0.attempts, reason: $0.reason, error: $0.error ?? "")
            }
        case .settlesBeforeDeferring:
            let deferred = settlement.deferred.map(\.id)
            settlement.deferredDelivered.removeAll { deferred.contains($0) }
        case .forgetsStarts: settlement.start = nil
        case .losesDeferredDeadLetters:
            settlement.deferredDelivered += settlement.deferredDead.map(\.id)
            settlement.deferredDead = []
        default: break
        }
        return settlement
    }

    private func commitElsewhere(_ settlements: [Settlement]) async throws {
        let other = try await self.store.store.openSession(subscription: "main", logger: Logger(label: "test"))
        _ = try await other.attach(self.streams.map(\.destination))
        let withoutCursor = settlements.map { settlement in
            var settlement = settlement
            settlement.through = nil
            return settlement
        }
        try await other.commit(withoutCursor)
        await other.close()
    }

    private func pass(_ page: any MessagePage) async throws {
        var settlement = Settlement(stream: page.stream)
        settlement.through = page
        try await self.session.commit([settlement])
    }

    func release(_ streams: [StreamID]) async throws {
        if self.fault == .releasesNothing { return }
        try await self.session.release(streams)
    }

    func confirm() async throws {
        if self.fault != .confirmsBlindly { try await self.session.confirm() }
    }

    func deferredKeys() async throws -> [StreamID: [UInt64: Int]] {
        self.fault == .countsNoKeys ? [:] : try await self.session.deferredKeys()
    }

    nonisolated func wake() {
        self.wasWoken.store(true, ordering: .relaxed)
        if self.fault != .dropsWake { self.session.wake() }
    }

    func close() async {
        if self.fault != .keepsOwnership { await self.session.close() }
    }
}

extension Deferral {
    /// With another due time, and without its error.
    fileprivate func due(_ due: Due) -> Deferral {
        Deferral(id: self.id, attempts: self.attempts, due: due, ordered: self.ordered, error: nil)
    }
}
