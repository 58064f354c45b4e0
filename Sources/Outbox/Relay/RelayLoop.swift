import DequeModule
import Logging
import OutboxRuntime

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
    let routes: RelayRoutes
    let workers: DeliveryWorkers
    let events: RelayEventHub
    let clock = ContinuousClock()
    var streams: [StreamID: StreamDelivery] = [:]
    /// Streams that are not the session's any more, while handlers are still being called; and until when that may last.
    var leaving: [(stream: StreamDelivery, deadline: ContinuousClock.Instant)] = []
    /// Streams that are for other relays, and until when they may take to be finished.
    var handovers: [StreamID: ContinuousClock.Instant] = [:]
    /// Streams that have come and are to be delivered one message at a time, from when nothing is on its way; and until when that
    /// may take.
    var suspicious: (streams: [AttachedStream], deadline: ContinuousClock.Instant)?
    /// What the streams of a destination share.
    var seats: [Destination: CallSeats] = [:]
    /// Of destinations with a limit of rate.
    var paces: [Destination: DeliveryPace] = [:]
    /// Whether it has been told that the relay delivers.
    var isStarted = false
    /// The streams that this process has delivered, and how many there were.
    let history: StreamHistory
    var schedule: CommitSchedule
    var crashWatch: CrashWatch
    var mustTry: Bool
    /// The handlers' calls, while one message at a time is delivered.
    var calls: WatchedCalls
    /// Asked before each call of a handler.
    let pulse: Pulse
    /// Pages that are read and not delivered, because one message at a time is.
    var waiting = Deque<any MessagePage>()

    /// - Parameters:
    ///   - history: The streams that this process has delivered in sessions before.
    ///   - mustTry: Whether a commit is to be made before anything is delivered: the last session could make none.
    ///   - workers: Runs the streams' dispatchers.
    init(
        session: any RelaySession, streams: [AttachedStream], routes: RelayRoutes, settings: RelaySettings.Resolved,
        history: StreamHistory, mustTry: Bool, workers: DeliveryWorkers, control: RelayControl, progress: Progress,
        events: RelayEventHub, logger: Logger
    ) {
        self.session = session
        self.settings = settings
        self.control = control
        self.progress = progress
        self.mustTry = mustTry
        self.logger = logger
        self.routes = routes
        self.workers = workers
        self.events = events
        self.history = history
        self.schedule = CommitSchedule(
            interval: settings.commit.interval, messages: settings.commit.messages,
            maximumDelay: settings.commit.maximumDelay)
        let known = Dictionary(streams.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        self.crashWatch = CrashWatch(known.mapValues(\.start), resumed: history.ids) { id in
            known[id].map { Self.firstPage(of: $0, routes, settings) } ?? settings.page.messages
        }
        self.calls = WatchedCalls { session.wake() }
        self.pulse = Pulse { session.wake() }
        self.finished = FinishedWork()
        for stream in streams { self.add(stream) }
        if self.crashWatch.isCareful { self.tellOfCare() }
    }

    func tellOfCare() {
        self.logger.warning(
            "Several processes have ended before they had delivered anything: one message at a time is delivered")
    }

    /// Works until the relay is asked to end and everything begun is settled, or the time for that is over.
    ///
    /// - Throws: What the session throws.
    mutating func run() async throws {
        while true {
            self.collect()
            let now = self.clock.now
            try await self.confirmIfAwaited()
            let leaveBy = try await self.dismissLeft(now: now)
            let deadline = self.control.drainDeadline(now: now, allowed: self.settings.shutdownDeadline)
            if deadline != nil { self.abandon() }
            if let deadline, now >= deadline || !self.isWorking {
                self.collect()
                try await self.end()
                return
            }
            let commitAt = try await self.commitIfDue(now: now)
            let handOverBy = deadline == nil ? try await self.handOver(now: now) : nil
            let careBy = deadline == nil ? try self.beginCare(now: now) : nil
            let aloneAt = deadline == nil ? try await self.deliverAlone() : nil
            var agenda = self.agenda(now: now, isEnding: deadline != nil)
            for instant in [commitAt, aloneAt, deadline, leaveBy, handOverBy, careBy] { agenda.add(instant) }
            // The relay stops being careful when nothing is left to deliver alone, which it has to find out.
            let isLooking = self.crashWatch.isCareful && !agenda.requests.isEmpty && !agenda.isUnsettled
            if isLooking { agenda.add(now + Self.look) }
            await self.session.note(agenda.activity)
            let result = try await self.session.read(agenda.requests, until: agenda.next)
            try await self.take(result)
            if isLooking, result.lookedAtEverything { try await self.endCare() }
        }
    }

    /// Asks the store whether the session is alive, if workers wait for that.
    private func confirmIfAwaited() async throws {
        // Again, where this process was stopped while it waited for the answer.
        while self.pulse.isAwaited {
            let now = self.clock.now
            try await self.session.confirm()
            self.pulse.answered(askedAt: now)
        }
    }

    /// How long a store may look for messages to deliver alone, before it is asked again.
    static let look = Duration.milliseconds(20)

    /// What is to be done for the streams next, and when.
    private struct Agenda {
        var requests: [ReadRequest] = []
        var activity: [StreamID: StreamActivity] = [:]
        /// Whether a handler may still be working on something.
        var isUnsettled = false
        /// When something is to be done, if nothing happens before.
        private(set) var next: ContinuousClock.Instant?

        mutating func add(_ instant: ContinuousClock.Instant?) {
            guard let instant else { return }
            if let next, next <= instant { return }
            self.next = instant
        }
    }

    /// Looks at each stream once. A relay may have thousands of them.
    private func agenda(now: ContinuousClock.Instant, isEnding: Bool) -> Agenda {
        var agenda = Agenda()
        let isCareful = self.crashWatch.isCareful
        let waiting = isCareful ? Set(self.waiting.map(\.stream)) : []
        let left = Set(self.leaving.map(\.stream.destination))
        for (id, stream) in self.streams {
            agenda.activity[id] = stream.activity
            if stream.ledger.isUnsettled { agenda.isUnsettled = true }
            agenda.add(stream.parkSlowCalls(now: now))
            agenda.add(stream.retryAt)
            agenda.add(stream.dispatcher.probe(now: now))
            agenda.add(stream.dispatcher.observer.tell(now: now))
            // While it is careful, the relay reads nothing of a stream before the current delivery is finished.
            if isEnding || isCareful && stream.isDelivering { continue }
            if self.suspicious != nil || self.handovers.index(forKey: id) != nil { continue }
            // Messages that handlers are still called with come again: the order of their keys begins when those calls have ended.
            if !left.isEmpty, left.contains(stream.destination) { continue }
            agenda.add(stream.waitingDue)
            guard var request = stream.request(self.settings, now: now), !waiting.contains(id) else { continue }
            if isCareful {
                request.messages = 1
                request.hasRoomForMore = false
            }
            agenda.requests.append(request)
        }
        return agenda
    }

    /// Commits what is settled, and notes that this end was no crash.
    mutating func end() async throws {
        for stream in self.streams.values { stream.parked.abandon() }
        // A stream with something that was refused has this last chance; what it has beside that is lost with the session.
        try await self.commit(isLast: true)
        for (id, start) in self.crashWatch.finish() {
            if let stream = self.streams[id], stream.refused == nil { stream.start = start }
        }
        try await self.commit()
        for stream in self.streams.values {
            guard let refused = stream.refused else { continue }
            self.logger.warning(
                refused.hasOutcomes
                    ? "Outcomes could not be stored before the end; what was delivered is delivered again"
                    : "That the relay ended in good order could not be stored; the next one takes that for a crash",
                metadata: [LogKey.destination: "\(stream.destination.inLog)"])
        }
        await self.session.leave()
    }

    // MARK: - Reading

    mutating func take(_ result: ReadResult) async throws {
        let now = self.clock.now
        if let askedAt = result.askedAt { self.pulse.answered(askedAt: askedAt) }
        for id in result.detached { self.detach(id, now: now) }
        for stream in result.attached { self.attach(stream, now: now) }
        for id in result.surplus where self.streams.index(forKey: id) != nil && self.handovers.index(forKey: id) == nil
        {
            self.handovers[id] = now + min(Handover.longest, self.settings.shutdownDeadline)
            self.streams[id]?.hold()
        }
        // A stream that is not among these was not looked at: it is asked for again.
        for (id, due) in result.nextDue { self.streams[id]?.deferredDue = due.map { now + $0 } }
        if self.crashWatch.isCareful {
            self.waiting += result.pages.filter { self.streams[$0.stream] != nil }
        } else {
            try await self.begin(result.pages)
        }
        if result.deferredChanged {
            for (id, keys) in try await self.session.deferredKeys() {
                guard let stream = self.streams[id] else { continue }
                stream.dispatcher.reload(deferredKeys: keys)
                stream.deferredDue = now
            }
        }
    }

    /// Delivers pages. Where they are the first of their stream, that is noted before; where it cannot be, they are kept until it is.
    private mutating func begin(_ pages: [any MessagePage]) async throws {
        if pages.isEmpty { return }
        var mustNote = false
        var beginning: [StreamDelivery] = []
        for page in pages {
            guard let stream = self.streams[page.stream] else { continue }
            if stream.beginning.isEmpty { beginning.append(stream) }
            stream.beginning.append(page)
            if stream.start != nil { continue }
            // Otherwise a window would be delivered again by each session, for as long as none can be committed.
            stream.start =
                self.crashWatch.start(of: stream.id) ?? (self.mustTry ? self.crashWatch.stored(stream.id) : nil)
            if stream.start != nil { mustNote = true }
        }
        if mustNote { try await self.commit() }
        for stream in beginning where stream.start == nil { self.handOut(stream) }
    }

    /// Hands the pages of a stream to its dispatcher. All notes before their delivery are stored.
    mutating func handOut(_ stream: StreamDelivery) {
        if stream.beginning.isEmpty { return }
        let pages = stream.beginning
        stream.beginning.removeAll()
        let first = stream.ledger.nextSequence
        self.crashWatch.begin(stream.id, pages: Array(first..<(first + pages.count)))
        let now = self.clock.now
        for page in pages { stream.submit(page, now: now) }
    }
}
