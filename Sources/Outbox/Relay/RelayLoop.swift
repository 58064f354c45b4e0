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
            let aloneAt = deadline == nil ? try await self.deliverAlone(isolation: isolation) : nil
            let retryAt = self.streams.values.compactMap(\.retryAt).min()
            let requests = deadline == nil ? self.requests(now: now) : []
            let isCareful = self.crashWatch.isCareful
            // One that is careful does not look before what it delivers is finished.
            let looking = deadline == nil ? self.streams.values.filter { !isCareful || !$0.isDelivering } : []
            let due = looking.compactMap(\.waitingDue).min()
            let probe = self.streams.values.compactMap { $0.dispatcher.probe(now: now) }.min()
            let telling = self.streams.values.compactMap { $0.dispatcher.observer.tell(now: now) }.min()
            var until = [commitAt, aloneAt, retryAt, deadline, due, probe, look, telling].compactMap { $0 }.min()
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
        for (id, start) in self.crashWatch.finish() where self.streams[id]?.refused == nil {
            self.streams[id]?.start = start
        }
        try await self.commit(isolation: isolation)
        for stream in self.streams.values {
            guard let refused = stream.refused else { continue }
            self.logger.warning(
                refused.hasOutcomes
                    ? "Outcomes could not be stored before the end; what was delivered is delivered again"
                    : "That the relay ended in good order could not be stored; the next one takes that for a crash",
                metadata: ["outbox.destination": "\(self.destination(of: stream.id))"])
        }
    }

    // MARK: - One message at a time

    /// Being careful, lets the next handler be called when no other is and the message before is committed, and hands out one
    /// message of each stream. Those that wait for a destination or for contact with it keep no other stream waiting.
    ///
    /// A call whose note is refused is not begun, and its stream waits; those of other streams take their turn.
    ///
    /// - Returns: When a note that was refused is tried again.
    private mutating func deliverAlone(isolation: isolated any Actor) async throws -> ContinuousClock.Instant? {
        guard self.crashWatch.isCareful else { return nil }
        if let call = self.calls.takeFruitless(), let start = self.crashWatch.takeBack(call.stream) {
            try await self.commit(starts: [call.stream: start], isolation: isolation)
        }
        if self.crashWatch.hasSeenEnough, !self.calls.isUnderWay {
            try await self.endCare(isolation: isolation)
            return nil
        }
        while let call = self.calls.next(except: self.refusedStreams) {
            // What the call before has led to is there by now, and belongs into the same commit.
            self.collect()
            let start = self.crashWatch.startAlone(call.stream, id: call.id)
            try await self.commit(alone: (call.stream, start), isolation: isolation)
            if self.streams[call.stream]?.refused != nil { continue }
            self.crashWatch.beginAlone(call.stream, id: call.id, page: call.page)
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
        // Its end says when the next one may begin.
        if self.calls.isUnderWay { return nil }
        return self.calls.waitingStreams.compactMap { self.streams[$0]?.refused?.retryAt }.min()
    }

    /// Streams of which the store has refused something that is not to be tried again yet.
    private var refusedStreams: Set<StreamID> {
        let now = self.clock.now
        return Set(self.streams.values.lazy.filter { $0.refused.map { now < $0.retryAt } ?? false }.map(\.id))
    }

    /// Gives up what waits for a destination, or for its start to be noted: it will be read again, by another session.
    private mutating func abandon() {
        self.calls.close()
        for (id, stream) in self.streams {
            if self.crashWatch.isCareful || stream.start != nil {
                stream.dispatcher.abandon()
            } else {
                stream.dispatcher.abandonIfOpen()
            }
            self.streams[id]?.beginning.removeAll()
            // What has not begun is not noted any more. That there is no crash to be remembered still is.
            if stream.start != StreamStart() { self.streams[id]?.start = nil }
        }
    }

    /// Streams whose end of care cannot be noted wait for that, with the calls that have not begun.
    private mutating func endCare(isolation: isolated any Actor) async throws {
        for (id, start) in self.crashWatch.finish() { self.streams[id]?.start = start }
        for page in self.waiting { self.streams[page.stream]?.beginning.append(page) }
        self.waiting.removeAll()
        try await self.commit(isolation: isolation)
        self.calls.free(except: Set(self.streams.values.lazy.filter { $0.start != nil }.map(\.id)))
        self.logger.notice("Many messages at a time are delivered again")
        for (id, stream) in self.streams where stream.start == nil { self.handOut(id) }
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
        }
        if result.deferredChanged {
            for (stream, keys) in try await self.session.deferredKeys() {
                self.streams[stream]?.dispatcher.reload(deferredKeys: keys)
                self.streams[stream]?.deferredDue = now
            }
        }
    }

    /// Delivers pages. Where they are the first of their stream, that is noted before; where it cannot be, they are kept until it is.
    private mutating func begin(_ pages: [any MessagePage], isolation: isolated any Actor) async throws {
        if pages.isEmpty { return }
        var mustNote = false
        for page in pages {
            let id = page.stream
            self.streams[id]?.beginning.append(page)
            if self.streams[id]?.start != nil { continue }
            // Otherwise a window would be delivered again by each session, for as long as none can be committed.
            let start = self.crashWatch.start(of: id) ?? (self.mustTry ? self.crashWatch.stored(id) : nil)
            self.streams[id]?.start = start
            if start != nil { mustNote = true }
        }
        if mustNote { try await self.commit(isolation: isolation) }
        for page in pages where self.streams[page.stream]?.start == nil { self.handOut(page.stream) }
    }

    /// Hands the pages of a stream to its dispatcher; nothing is left to be noted before.
    private mutating func handOut(_ id: StreamID) {
        guard let stream = self.streams[id], !stream.beginning.isEmpty else { return }
        self.streams[id]?.beginning.removeAll()
        let first = stream.ledger.nextSequence
        self.crashWatch.begin(id, pages: Array(first..<(first + stream.beginning.count)))
        for page in stream.beginning { self.submit(page) }
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
            if let refused = stream.refused, refused.work != nil || now < refused.retryAt { continue }
            committable += stream.ledger.committable + stream.parked.committable
            if stream.ledger.committable > 0 && stream.isFull(self.configuration) { isFull = true }
        }
        let retry = self.streams.values.compactMap(\.retryAt).min()
        let decision = self.schedule.decide(now: now, committable: committable, isIdle: isIdle, isFull: isFull)
        if decision == .now || retry.map({ $0 <= now }) ?? false {
            try await self.commit(isolation: isolation)
            return self.streams.values.compactMap(\.retryAt).min()
        }
        guard case .at(let instant) = decision else { return retry }
        return min(instant, retry ?? instant)
    }

    /// Commits what there is, with what has to be noted before more is delivered (``StreamDelivery/start``). What is refused of a
    /// stream is kept, and tried again by a later commit.
    ///
    /// - Parameters:
    ///   - starts: What else is to be noted of this process's start. Nothing waits for it.
    ///   - alone: What is to be noted because a handler is going to be called with one message. It is not kept: whether it is still
    ///     to be called is asked again.
    ///   - isLast: Whether what was refused is tried once more, whenever that would be due.
    private mutating func commit(
        starts: [StreamID: StreamStart] = [:], alone: (stream: StreamID, start: StreamStart)? = nil,
        isLast: Bool = false, isolation: isolated any Actor
    ) async throws {
        let now = self.clock.now
        var works: [StreamID: CommitWork] = [:]
        var settlements: [Settlement] = []
        for id in self.streams.keys {
            guard let work = self.takeWork(of: id, start: starts[id], now: isLast ? nil : now) else { continue }
            var settlement = work.settlement
            settlement.start = self.streams[id]?.start ?? settlement.start
            if let alone, alone.stream == id { settlement.start = alone.start }
            if settlement.isEmpty { continue }
            works[id] = work
            settlements.append(settlement)
        }
        if works.isEmpty { return }
        let refused = try await self.session.commit(settlements)
        if refused.count < works.count {
            self.progress.committed()
            self.mustTry = false
        }
        self.schedule.committed(at: self.clock.now)
        for (id, work) in works {
            if let error = refused[id] {
                self.keep(work, of: id, refusedFor: error)
            } else {
                if let before = self.streams[id]?.refused {
                    self.logger.notice(
                        before.hasOutcomes ? "Outcomes are stored again" : "Messages are delivered again",
                        metadata: ["outbox.destination": "\(self.destination(of: id))"])
                }
                self.streams[id]?.refused = nil
                self.noteCommitted(id, work.pages, work.endings)
                if self.streams[id]?.start == nil { continue }
                self.streams[id]?.start = nil
                self.calls.free(id)
                self.handOut(id)
            }
        }
    }

    /// What there is to commit of a stream, which may be nothing; nil: nothing now.
    ///
    /// - Parameter now: nil: what was refused is due.
    private mutating func takeWork(
        of id: StreamID, start: StreamStart?, now: ContinuousClock.Instant?
    ) -> CommitWork? {
        if let start { self.streams[id]?.refused?.note(start, of: id) }
        if let refused = self.streams[id]?.refused {
            if let now, now < refused.retryAt { return nil }
            if let work = refused.work { return work }
        }
        guard let taken = self.streams[id]?.ledger.takeCommittable() else { return nil }
        let pages = taken.log + [taken.deferred].compactMap { $0 }
        for ticket in pages { self.streams[id]?.parked.stored(page: ticket.sequence) }
        let endings = self.streams[id]?.parked.take() ?? []
        var settlement = Settlement(stream: id)
        for ticket in pages { settlement.add(ticket) }
        for ending in endings { settlement.add(ending) }
        settlement.start = start ?? self.crashWatch.commit(id, pages: pages.map(\.sequence))
        return CommitWork(settlement: settlement, pages: pages, endings: endings)
    }

    /// Keeps what was refused, to be tried again.
    private mutating func keep(_ work: CommitWork, of id: StreamID, refusedFor error: RelayStoreError) {
        let now = self.clock.now
        var refused = self.streams[id]?.refused ?? RefusedCommit(now: now)
        refused.work = work.settlement.isEmpty ? nil : work
        let isNews = refused.refused(error.message, now: now)
        self.streams[id]?.refused = refused
        if !isNews { return }
        self.logger.warning(
            refused.hasOutcomes
                ? "Outcomes cannot be stored; that is tried again, and nothing more of the destination is delivered than its window has room for"
                : "The start of a delivery cannot be stored; that is tried again, and nothing of the destination is delivered before",
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
