import DequeModule
import Logging
import OutboxRuntime

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
    let session: any RelaySession
    let settings: RelaySettings.Resolved
    let control: RelayControl
    let progress: Progress
    let finished: FinishedWork
    let logger: Logger
    let clock = ContinuousClock()
    var streams: [StreamID: StreamDelivery] = [:]
    var schedule: CommitSchedule
    var crashWatch: CrashWatch
    var mustTry: Bool
    /// The handlers' calls, while one message at a time is delivered.
    let calls: WatchedCalls
    /// Pages that are read and not delivered, because one message at a time is.
    var waiting = Deque<any MessagePage>()

    /// - Parameters:
    ///   - isResumed: Whether this process has delivered in a session before.
    ///   - mustTry: Whether a commit is to be made before anything is delivered: the last session could make none.
    ///   - workers: Runs the streams' dispatchers.
    init(
        session: any RelaySession, streams: [AttachedStream], routes: RelayRoutes, settings: RelaySettings.Resolved,
        isResumed: Bool, mustTry: Bool, workers: DeliveryWorkers, control: RelayControl, progress: Progress,
        events: RelayEventHub, logger: Logger
    ) {
        self.session = session
        self.settings = settings
        self.control = control
        self.progress = progress
        self.mustTry = mustTry
        self.logger = logger
        self.schedule = CommitSchedule(
            interval: settings.commit.interval, messages: settings.commit.messages,
            maximumDelay: settings.commit.maximumDelay)
        self.crashWatch = CrashWatch(
            Dictionary(streams.map { ($0.id, $0.start) }, uniquingKeysWith: { first, _ in first }),
            isResumed: isResumed,
            pageCount: settings.page.messages)
        self.calls = WatchedCalls { session.wake() }
        let finished = FinishedWork()
        self.finished = finished
        for stream in streams {
            guard let handler = routes[stream.destination] else { continue }
            let observer = DeliveryObserver(
                destination: stream.destination, subscription: settings.subscription, events: events,
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
            workers.start(dispatcher)
            self.streams[stream.id] = StreamDelivery(id: stream.id, dispatcher: dispatcher, now: self.clock.now)
        }
        if self.crashWatch.isCareful {
            logger.warning(
                "Several processes have ended before they had delivered anything: one message at a time is delivered")
        }
    }

    /// Works until the relay is asked to end and everything begun is settled, or the time for that is over.
    ///
    /// - Throws: What the session throws.
    mutating func run() async throws {
        while true {
            self.collect()
            let now = self.clock.now
            let deadline = self.control.drainDeadline(now: now, allowed: self.settings.shutdownDeadline)
            if deadline != nil { self.abandon() }
            if let deadline, now >= deadline || !self.streams.values.contains(where: \.isWorking) {
                self.collect()
                try await self.end()
                return
            }
            let look = self.parkSlowCalls(now: now)
            let commitAt = try await self.commitIfDue(now: now)
            let aloneAt = deadline == nil ? try await self.deliverAlone() : nil
            let retryAt = self.streams.values.compactMap(\.retryAt).min()
            let requests = deadline == nil ? self.requests(now: now) : []
            let isCareful = self.crashWatch.isCareful
            // While it is careful, the relay reads nothing before the current delivery is finished.
            let looking = deadline == nil ? self.streams.values.filter { !isCareful || !$0.isDelivering } : []
            let due = looking.compactMap(\.waitingDue).min()
            let probe = self.streams.values.compactMap { $0.dispatcher.probe(now: now) }.min()
            let telling = self.streams.values.compactMap { $0.dispatcher.observer.tell(now: now) }.min()
            var until = [commitAt, aloneAt, retryAt, deadline, due, probe, look, telling].compactMap { $0 }.min()
            // The relay stops being careful when nothing is left to deliver alone, which it has to find out.
            let isLooking = isCareful && !requests.isEmpty && !self.streams.values.contains(where: \.ledger.isUnsettled)
            if isLooking { until = min(until ?? now + Self.look, now + Self.look) }
            await self.session.note(self.streams.mapValues(\.activity))
            let result = try await self.session.read(requests, until: until)
            try await self.take(result, requests)
            if isLooking, result.lookedAtEverything { try await self.endCare() }
        }
    }

    /// How long a store may look for messages to deliver alone, before it is asked again.
    static let look = Duration.milliseconds(20)

    mutating func parkSlowCalls(now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        self.streams.values.compactMap { $0.parkSlowCalls(now: now) }.min()
    }

    /// Commits what is settled, and notes that this end was no crash.
    mutating func end() async throws {
        for id in self.streams.keys { self.streams[id]?.parked.abandon() }
        // A stream with something that was refused has this last chance; what it has beside that is lost with the session.
        try await self.commit(isLast: true)
        for (id, start) in self.crashWatch.finish() where self.streams[id]?.refused == nil {
            self.streams[id]?.start = start
        }
        try await self.commit()
        for stream in self.streams.values {
            guard let refused = stream.refused else { continue }
            self.logger.warning(
                refused.hasOutcomes
                    ? "Outcomes could not be stored before the end; what was delivered is delivered again"
                    : "That the relay ended in good order could not be stored; the next one takes that for a crash",
                metadata: [LogKey.destination: "\(self.destination(of: stream.id))"])
        }
    }

    // MARK: - Reading

    func requests(now: ContinuousClock.Instant) -> [ReadRequest] {
        let requests = self.streams.values.compactMap { $0.request(self.settings, now: now) }
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

    mutating func take(_ result: ReadResult, _ requests: [ReadRequest]) async throws {
        let now = self.clock.now
        // A stream that is not among these was not looked at: it is asked for again.
        for (stream, due) in result.nextDue { self.streams[stream]?.deferredDue = due.map { now + $0 } }
        if self.crashWatch.isCareful {
            self.waiting += result.pages
        } else {
            try await self.begin(result.pages)
        }
        if result.deferredChanged {
            for (stream, keys) in try await self.session.deferredKeys() {
                self.streams[stream]?.dispatcher.reload(deferredKeys: keys)
                self.streams[stream]?.deferredDue = now
            }
        }
    }

    /// Delivers pages. Where they are the first of their stream, that is noted before; where it cannot be, they are kept until it is.
    mutating func begin(_ pages: [any MessagePage]) async throws {
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
        if mustNote { try await self.commit() }
        for page in pages where self.streams[page.stream]?.start == nil { self.handOut(page.stream) }
    }

    /// Hands the pages of a stream to its dispatcher. All notes before their delivery are stored.
    mutating func handOut(_ id: StreamID) {
        guard let stream = self.streams[id], !stream.beginning.isEmpty else { return }
        let pages = stream.beginning
        stream.beginning.removeAll()
        let first = stream.ledger.nextSequence
        self.crashWatch.begin(id, pages: Array(first..<(first + pages.count)))
        for page in pages { self.submit(page) }
    }

    mutating func submit(_ page: any MessagePage, crashes: Int = 0, calls: WatchedCalls? = nil) {
        guard let dispatcher = self.streams[page.stream]?.dispatcher else { return }
        let sequence = self.streams[page.stream]?.ledger.nextSequence ?? 0
        let ticket = PageTicket(
            page: page, sequence: sequence, lanes: dispatcher.handler.settings.concurrency, crashes: crashes,
            calls: calls)
        self.streams[page.stream]?.ledger.add(ticket, origin: page.origin, count: page.count, bytes: page.byteCount)
        if page.origin == .log {
            // A row can have any date, infinity too: a date out of range must not crash the relay.
            let seconds = min(max(-page.createdAt(at: 0).timeIntervalSinceNow, 0), 1e9)
            dispatcher.observer.lag(nanoseconds: Int64(seconds * 1e9))
        }
        dispatcher.observer.inFlight(self.streams[page.stream]?.ledger.messages ?? 0)
        dispatcher.submit(ticket)
    }
}
