import DequeModule
import Logging

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The relay's work in one session: reads pages, hands them to the dispatchers, commits what is settled.
///
/// It runs isolated to the session's actor; handlers run elsewhere.
///
/// After crashes it is careful for a while: see ``CrashWatch``.
struct RelayLoop: ~Copyable {
    private let session: any RelaySession
    private let configuration: RelayConfiguration
    private let control: RelayControl
    private let progress: Progress
    private let finished: FinishedWork
    private let logger: Logger
    private let clock = ContinuousClock()
    private var streams: [StreamID: StreamDelivery] = [:]
    private var schedule: CommitSchedule
    private var crashWatch: CrashWatch
    private var mustTry: Bool
    /// The handlers' calls, while one message at a time is delivered.
    private let calls: WatchedCalls
    /// Pages that are read and not delivered, because one message at a time is.
    private var waiting = Deque<any MessagePage>()

    /// - Parameters:
    ///   - isResumed: Whether this process has delivered in a session before.
    ///   - mustTry: Whether a commit is to be made before anything is delivered: the last session could make none.
    init(
        session: any RelaySession, streams: [AttachedStream], routes: Routes, configuration: RelayConfiguration,
        isResumed: Bool, mustTry: Bool, control: RelayControl, progress: Progress, events: RelayEventHub, logger: Logger
    ) {
        self.session = session
        self.configuration = configuration
        self.control = control
        self.progress = progress
        self.mustTry = mustTry
        self.logger = logger
        self.schedule = CommitSchedule(
            interval: configuration.commit.interval, messages: configuration.commit.messages,
            maximumDelay: configuration.commit.maximumDelay)
        self.crashWatch = CrashWatch(
            Dictionary(streams.map { ($0.id, $0.start) }, uniquingKeysWith: { first, _ in first }),
            isResumed: isResumed,
            pageCount: configuration.page.messages)
        self.calls = WatchedCalls { session.wake() }
        let finished = FinishedWork()
        self.finished = finished
        for stream in streams {
            guard let handler = routes[stream.destination] else { continue }
            let observer = DeliveryObserver(
                destination: stream.destination, subscription: configuration.subscription, events: events,
                logger: logger)
            let dispatcher = Dispatcher(
                handler: handler, deferredKeys: stream.deferredKeys, observer: observer
            ) { ticket in
                if finished.add(ticket) { session.wake() }
            } onParkedEnd: { endings in
                if finished.add(endings, of: stream.id) { session.wake() }
            } onChange: {
                session.wake()
            }
            self.streams[stream.id] = StreamDelivery(id: stream.id, dispatcher: dispatcher, now: self.clock.now)
        }
        if self.crashWatch.isCareful {
            logger.warning(
                "Several processes have ended before they had delivered anything: one message at a time is delivered")
        }
    }

    /// The dispatchers, whose workers the caller runs beside ``run(isolation:)``.
    var dispatchers: [Dispatcher] { self.streams.values.map(\.dispatcher) }

    /// Works until the relay is asked to end and everything begun is settled, or the time for that is over.
    ///
    /// - Throws: What the session throws.
    mutating func run(isolation: isolated any Actor) async throws {
        while true {
            self.collect()
            let now = self.clock.now
            let deadline = self.control.drainDeadline(now: now, allowed: self.configuration.shutdown.deadline)
            if deadline != nil { self.abandon() }
            if let deadline, now >= deadline || !self.streams.values.contains(where: \.isWorking) {
                self.collect()
                try await self.end(isolation: isolation)
                return
            }
            let look = self.parkSlowCalls(now: now)
            let commitAt = try await self.commitIfDue(now: now, isolation: isolation)
            if deadline == nil { try await self.deliverAlone(isolation: isolation) }
            let requests = deadline == nil ? self.requests(now: now) : []
            let isCareful = self.crashWatch.isCareful
            // One that is careful does not look before what it delivers is finished.
            let looking = deadline == nil ? self.streams.values.filter { !isCareful || !$0.isDelivering } : []
            let due = looking.compactMap(\.waitingDue).min()
            let probe = self.streams.values.compactMap { $0.dispatcher.probe(now: now) }.min()
            let telling = self.streams.values.compactMap { $0.dispatcher.observer.tell(now: now) }.min()
            var until = [commitAt, deadline, due, probe, look, telling].compactMap { $0 }.min()
            // Being careful ends where there is nothing to be careful with, and that is to be found out.
            let isLooking = isCareful && !requests.isEmpty && !self.streams.values.contains(where: \.ledger.isUnsettled)
            if isLooking { until = now }
            self.session.note(self.streams.mapValues(\.activity))
            let result = try await self.session.read(requests, until: until)
            try await self.take(result, requests, isolation: isolation)
            if isLooking, result.pages.isEmpty, !result.deferredChanged { try await self.endCare(isolation: isolation) }
        }
    }

    private mutating func parkSlowCalls(now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        var next: ContinuousClock.Instant?
        var index = self.streams.startIndex
        while index != self.streams.endIndex {
            let look = self.streams.values[index].parkSlowCalls(now: now)
            next = [next, look].compactMap { $0 }.min()
            self.streams.formIndex(after: &index)
        }
        return next
    }

    /// Settles what there is, and notes that it was no crash.
    private mutating func end(isolation: isolated any Actor) async throws {
        for id in self.streams.keys { self.streams[id]?.parked.abandon() }
        // A stream with something that was refused has this last chance; what it has beside that is lost with the session.
        try await self.commit(isLast: true, isolation: isolation)
        let finished = self.crashWatch.finish().filter { self.streams[$0.key]?.refused == nil }
        try await self.commit(starts: finished, isolation: isolation)
        for stream in self.streams.values where stream.refused != nil {
            self.logger.warning(
                "Outcomes could not be stored before the end; what was delivered is delivered again",
                metadata: ["outbox.destination": "\(self.destination(of: stream.id))"])
        }
    }

    // MARK: - One message at a time

    /// Being careful, lets the next handler be called when no other is and the message before is committed, and hands out one
    /// message of each stream. Those that wait for a destination or for contact with it keep no other stream waiting.
    private mutating func deliverAlone(isolation: isolated any Actor) async throws {
        guard self.crashWatch.isCareful else { return }
        if let call = self.calls.takeFruitless(), let start = self.crashWatch.takeBack(call.stream) {
            try await self.commit(starts: [call.stream: start], isolation: isolation)
        }
        if self.crashWatch.hasSeenEnough, !self.calls.isUnderWay { return try await self.endCare(isolation: isolation) }
        if let call = self.calls.next {
            // What the call before has led to is there by now, and belongs into the same commit.
            self.collect()
            let start = self.crashWatch.beginAlone(call.stream, id: call.id, page: call.page)
            try await self.commit(starts: [call.stream: start], isolation: isolation)
            self.calls.grant(call)
        }
        let waiting = self.waiting
        self.waiting.removeAll()
        for page in waiting {
            if self.streams[page.stream]?.isDelivering == true {
                self.waiting.append(page)
            } else {
                self.submit(page, crashes: self.crashWatch.crashes(page.stream, id: page.id(at: 0)), calls: self.calls)
            }
        }
    }

    /// Gives up what waits for a destination: it will be read again, by another session.
    private func abandon() {
        self.calls.close()
        for stream in self.streams.values {
            if self.crashWatch.isCareful { stream.dispatcher.abandon() } else { stream.dispatcher.abandonIfOpen() }
        }
    }

    private mutating func endCare(isolation: isolated any Actor) async throws {
        try await self.commit(starts: self.crashWatch.finish(), isolation: isolation)
        self.calls.free()
        self.logger.notice("Many messages at a time are delivered again")
        for page in self.waiting { self.submit(page) }
        self.waiting.removeAll()
    }

    // MARK: - Reading

    private func requests(now: ContinuousClock.Instant) -> [ReadRequest] {
        let requests = self.streams.values.compactMap { $0.request(self.configuration, now: now) }
        if !self.crashWatch.isCareful { return requests }
        let waiting = Set(self.waiting.map(\.stream))
        return requests.compactMap { request in
            if waiting.contains(request.stream) || self.streams[request.stream]?.isDelivering == true { return nil }
            var request = request
            request.messages = 1
            request.hasRoomForMore = false
            return request
        }
    }

    private mutating func take(_ result: ReadResult, _ requests: [ReadRequest], isolation: isolated any Actor)
        async throws
    {
        let now = self.clock.now
        // A stream that is not among these was not looked at: it is asked for again.
        for (stream, due) in result.nextDue { self.streams[stream]?.deferredDue = due.map { now + $0 } }
        if self.crashWatch.isCareful {
            self.waiting += result.pages
        } else {
            try await self.begin(result.pages, isolation: isolation)
            for page in result.pages { self.submit(page) }
        }
        if result.deferredChanged {
            for (stream, keys) in try await self.session.deferredKeys() {
                self.streams[stream]?.dispatcher.reload(deferredKeys: keys)
                self.streams[stream]?.deferredDue = now
            }
        }
    }

    /// Notes that pages are going to be delivered, where they are the first of their stream.
    private mutating func begin(_ pages: [any MessagePage], isolation: isolated any Actor) async throws {
        var starts: [StreamID: StreamStart] = [:]
        for (stream, pages) in Dictionary(grouping: pages, by: \.stream) {
            let first = self.streams[stream]?.ledger.nextSequence ?? 0
            starts[stream] = self.crashWatch.begin(stream, pages: Array(first..<(first + pages.count)))
            if self.mustTry, starts[stream] == nil { starts[stream] = self.crashWatch.stored(stream) }
        }
        // Otherwise a window would be delivered again by each session, for as long as none can be committed.
        if !pages.isEmpty { self.mustTry = false }
        if !starts.isEmpty { try await self.commit(starts: starts, isolation: isolation) }
    }

    private mutating func submit(_ page: any MessagePage, crashes: Int = 0, calls: WatchedCalls? = nil) {
        guard let dispatcher = self.streams[page.stream]?.dispatcher else { return }
        let sequence = self.streams[page.stream]?.ledger.nextSequence ?? 0
        let ticket = PageTicket(
            page: page, sequence: sequence, lanes: dispatcher.handler.concurrency, crashes: crashes, calls: calls)
        self.streams[page.stream]?.ledger.add(ticket, origin: page.origin, count: page.count, bytes: page.byteCount)
        if page.origin == .log {
            // A row can claim any date, infinity too: what is out of range is not worth a crash.
            let seconds = min(max(-page.createdAt(at: 0).timeIntervalSinceNow, 0), 1e9)
            dispatcher.observer.lag(nanoseconds: Int64(seconds * 1e9))
        }
        dispatcher.observer.inFlight(self.streams[page.stream]?.ledger.messages ?? 0)
        dispatcher.submit(ticket)
    }

    // MARK: - Committing

    private mutating func collect() {
        let (tickets, endings) = self.finished.take()
        for ticket in tickets { self.streams[ticket.page.stream]?.ledger.settle(ticket.sequence) }
        for (stream, ending) in endings { self.streams[stream]?.parked.end(ending.id, ending.verdict) }
    }

    /// - Returns: When the next commit is due, if one is.
    private mutating func commitIfDue(
        now: ContinuousClock.Instant, isolation: isolated any Actor
    ) async throws -> ContinuousClock.Instant? {
        var committable = 0
        var isIdle = true
        var isFull = self.crashWatch.isCareful
        for stream in self.streams.values {
            // What waits for a destination to be up may wait for hours: nothing else waits for it.
            if stream.isDelivering { isIdle = false }
            if stream.refused != nil { continue }
            committable += stream.ledger.committable + stream.parked.committable
            if stream.ledger.committable > 0 && stream.isFull(self.configuration) { isFull = true }
        }
        let retry = self.streams.values.compactMap { $0.refused?.retryAt }.min()
        let decision = self.schedule.decide(now: now, committable: committable, isIdle: isIdle, isFull: isFull)
        if decision == .now || retry.map({ $0 <= now }) ?? false {
            try await self.commit(isolation: isolation)
            return self.streams.values.compactMap { $0.refused?.retryAt }.min()
        }
        guard case .at(let instant) = decision else { return retry }
        return min(instant, retry ?? instant)
    }

    /// - Parameters:
    ///   - starts: What is to be noted of this process's start, without which nothing is delivered.
    ///   - isLast: Whether what was refused is tried once more, whenever that would be due.
    /// - Throws: What the session throws, and why a start was refused.
    private mutating func commit(
        starts: [StreamID: StreamStart] = [:], isLast: Bool = false, isolation: isolated any Actor
    ) async throws {
        let now = self.clock.now
        var works: [StreamID: CommitWork] = [:]
        for id in self.streams.keys {
            works[id] = self.takeWork(of: id, start: starts[id], now: isLast ? nil : now)
        }
        if works.isEmpty { return }
        let refused = try await self.session.commit(works.values.map(\.settlement))
        if refused.count < works.count { self.progress.committed() }
        self.schedule.committed(at: self.clock.now)
        for (id, work) in works {
            if let error = refused[id] {
                self.keep(work, of: id, refusedFor: error)
            } else {
                if let before = self.streams[id]?.refused, before.attempts > 0 {
                    self.logger.notice(
                        "Outcomes are stored again", metadata: ["outbox.destination": "\(self.destination(of: id))"])
                }
                self.streams[id]?.refused = nil
                self.noteCommitted(id, work.pages, work.endings)
            }
        }
        for id in starts.keys {
            if let error = refused[id] { throw error }
        }
    }

    /// What there is to commit of a stream; nil: nothing, or nothing now.
    ///
    /// - Parameter now: nil: what was refused is due.
    private mutating func takeWork(
        of id: StreamID, start: StreamStart?, now: ContinuousClock.Instant?
    ) -> CommitWork? {
        if let refused = self.streams[id]?.refused {
            var work = refused.work
            if let start { work.settlement.start = start }
            let isDue = now.map { refused.retryAt <= $0 } ?? true
            return isDue || start != nil ? work : nil
        }
        guard let taken = self.streams[id]?.ledger.takeCommittable() else { return nil }
        let pages = taken.log + [taken.deferred].compactMap { $0 }
        for ticket in pages { self.streams[id]?.parked.stored(page: ticket.sequence) }
        let endings = self.streams[id]?.parked.take() ?? []
        var settlement = Settlement(stream: id)
        for ticket in pages { settlement.add(ticket) }
        for ending in endings { settlement.add(ending) }
        settlement.start = start ?? self.crashWatch.commit(id, pages: pages.map(\.sequence))
        return settlement.isEmpty ? nil : CommitWork(settlement: settlement, pages: pages, endings: endings)
    }

    /// Keeps what was refused, to be tried again.
    private mutating func keep(_ work: CommitWork, of id: StreamID, refusedFor error: RelayStoreError) {
        let now = self.clock.now
        var refused = self.streams[id]?.refused ?? RefusedCommit(work, now: now)
        let isNews = refused.refused(error.message, now: now)
        self.streams[id]?.refused = refused
        if !isNews { return }
        self.logger.warning(
            "Outcomes cannot be stored; that is tried again, and nothing more of the destination is delivered than its window has room for",
            metadata: [
                "outbox.destination": "\(self.destination(of: id))", "outbox.error": "\(error)",
                "outbox.attempts": "\(refused.attempts)",
            ])
    }

    private func destination(of id: StreamID) -> String {
        self.streams[id]?.dispatcher.observer.destination.name ?? "\(id)"
    }

    private mutating func noteCommitted(
        _ id: StreamID, _ pages: [PageTicket], _ endings: [ParkedMessages.Ending]
    ) {
        guard let dispatcher = self.streams[id]?.dispatcher else { return }
        for ticket in pages {
            let exceptions = ticket.exceptions
            dispatcher.committed(deferred: ticket.blockedKeys, removed: ticket.removedKeys)
            for exception in exceptions { dispatcher.observer.committed(exception.verdict) }
            dispatcher.observer.inFlight(self.streams[id]?.ledger.messages ?? 0)
            // Something was deferred or has left: find out when the next is due.
            if !exceptions.isEmpty || ticket.page.origin == .deferred { self.streams[id]?.deferredDue = self.clock.now }
        }
        if endings.isEmpty { return }
        dispatcher.committed(deferred: [], removed: ParkedMessages.removedKeys(endings))
        for ending in endings {
            if let verdict = ending.verdict { dispatcher.observer.committed(verdict) }
        }
        self.streams[id]?.deferredDue = self.clock.now
    }
}
