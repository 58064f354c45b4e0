import Logging
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The relay's work in one session: reads pages, hands them to the dispatchers, commits what is settled.
///
/// It runs isolated to the session's actor; handlers run elsewhere.
struct RelayLoop: ~Copyable {
    private let session: any RelaySession
    private let configuration: RelayConfiguration
    private let control: RelayControl
    private let progress: Progress
    private let settled: SettledPages
    private let logger: Logger
    private let clock = ContinuousClock()
    private var streams: [StreamID: StreamDelivery] = [:]
    private var schedule: CommitSchedule

    init(
        session: any RelaySession, streams: [AttachedStream], routes: Routes, configuration: RelayConfiguration,
        control: RelayControl, progress: Progress, events: RelayEventHub, logger: Logger
    ) {
        self.session = session
        self.configuration = configuration
        self.control = control
        self.progress = progress
        self.logger = logger
        self.schedule = CommitSchedule(
            interval: configuration.commit.interval, messages: configuration.commit.messages,
            maximumDelay: configuration.commit.maximumDelay)
        let settled = SettledPages()
        self.settled = settled
        for stream in streams {
            guard let handler = routes[stream.destination] else { continue }
            let observer = DeliveryObserver(
                destination: stream.destination, subscription: configuration.subscription, events: events,
                logger: logger)
            let dispatcher = Dispatcher(
                handler: handler, deferredKeys: stream.deferredKeys, observer: observer
            ) { ticket in
                if settled.add(ticket) { session.wake() }
            } onChange: {
                session.wake()
            }
            self.streams[stream.id] = StreamDelivery(id: stream.id, dispatcher: dispatcher, now: self.clock.now)
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
            if deadline != nil { for stream in self.streams.values { stream.dispatcher.abandonIfOpen() } }
            if let deadline, now >= deadline || !self.streams.values.contains(where: \.isWorking) {
                self.collect()
                try await self.commit(isolation: isolation)
                return
            }
            let commitAt = try await self.commitIfDue(now: now, isolation: isolation)
            let requests = deadline == nil ? self.streams.values.compactMap { $0.request(self.configuration, now: now) } : []
            let due = deadline == nil ? self.streams.values.compactMap(\.waitingDue).min() : nil
            let probe = self.streams.values.compactMap { $0.dispatcher.probe(now: now) }.min()
            let until = [commitAt, deadline, due, probe].compactMap { $0 }.min()
            self.session.note(self.streams.mapValues(\.activity))
            let result = try await self.session.read(requests, until: until)
            try await self.take(result, requests, isolation: isolation)
        }
    }

    // MARK: - Reading

    private mutating func take(_ result: ReadResult, _ requests: [ReadRequest], isolation: isolated any Actor) async throws {
        let now = self.clock.now
        for request in requests where request.deferred { self.streams[request.stream]?.deferredDue = nil }
        for (stream, due) in result.nextDue { self.streams[stream]?.deferredDue = due.map { now + $0 } }
        for page in result.pages { self.submit(page) }
        if result.deferredChanged {
            for (stream, keys) in try await self.session.deferredKeys() {
                self.streams[stream]?.dispatcher.reload(deferredKeys: keys)
                self.streams[stream]?.deferredDue = now
            }
        }
    }

    private mutating func submit(_ page: any MessagePage) {
        guard let dispatcher = self.streams[page.stream]?.dispatcher else { return }
        let sequence = self.streams[page.stream]?.ledger.nextSequence ?? 0
        let ticket = PageTicket(page: page, sequence: sequence, lanes: dispatcher.handler.concurrency)
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
        for ticket in self.settled.take() { self.streams[ticket.page.stream]?.ledger.settle(ticket.sequence) }
    }

    /// - Returns: When the next commit is due, if one is.
    private mutating func commitIfDue(
        now: ContinuousClock.Instant, isolation: isolated any Actor
    ) async throws -> ContinuousClock.Instant? {
        var committable = 0
        var isIdle = true
        var isFull = false
        for stream in self.streams.values {
            committable += stream.ledger.committable
            // What waits for a destination to be up may wait for hours: nothing else waits for it.
            if stream.ledger.isUnsettled && !stream.dispatcher.isOpen { isIdle = false }
            if stream.ledger.committable > 0 && stream.isFull(self.configuration) { isFull = true }
        }
        switch self.schedule.decide(now: now, committable: committable, isIdle: isIdle, isFull: isFull) {
        case .nothing:
            return nil
        case .at(let instant):
            return instant
        case .now:
            try await self.commit(isolation: isolation)
            return nil
        }
    }

    private mutating func commit(isolation: isolated any Actor) async throws {
        var settlements: [Settlement] = []
        var tickets: [(StreamID, PageTicket)] = []
        for id in self.streams.keys {
            guard let taken = self.streams[id]?.ledger.takeCommittable() else { continue }
            let pages = taken.log + [taken.deferred].compactMap { $0 }
            if pages.isEmpty { continue }
            var settlement = Settlement(stream: id)
            for ticket in pages {
                settlement.add(ticket)
                tickets.append((id, ticket))
            }
            settlements.append(settlement)
        }
        if settlements.isEmpty { return }
        try await self.session.commit(settlements)
        self.progress.committed()
        let now = self.clock.now
        self.schedule.committed(at: now)
        for (id, ticket) in tickets {
            guard let dispatcher = self.streams[id]?.dispatcher else { continue }
            let exceptions = ticket.exceptions
            dispatcher.committed(deferred: ticket.blockedKeys, removed: ticket.removedKeys)
            dispatcher.observer.committed(exceptions, of: ticket.page)
            dispatcher.observer.inFlight(self.streams[id]?.ledger.messages ?? 0)
            // Something was deferred or has left: find out when the next is due.
            if !exceptions.isEmpty || ticket.page.origin == .deferred { self.streams[id]?.deferredDue = now }
        }
    }
}

/// Pages whose messages are all settled, on their way from the workers to the loop.
final class SettledPages: Sendable {
    private let tickets = Mutex<[PageTicket]>([])

    /// - Returns: Whether the loop has to be woken: it takes all there is at once.
    func add(_ ticket: PageTicket) -> Bool {
        self.tickets.withLock { tickets in
            tickets.append(ticket)
            return tickets.count == 1
        }
    }

    func take() -> [PageTicket] {
        self.tickets.withLock { tickets in
            defer { tickets.removeAll() }
            return tickets
        }
    }
}
