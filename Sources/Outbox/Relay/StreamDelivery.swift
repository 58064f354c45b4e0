#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One stream of a running relay: its dispatcher, its ledger, and when its deferred messages are due.
///
/// The loop's alone. A class, because a relay has thousands of them and looks at each.
final class StreamDelivery {
    let id: StreamID
    let dispatcher: Dispatcher
    var ledger: Ledger<PageTicket>
    var parked = ParkedMessages()
    /// How many messages are read at once.
    private var pace: PagePace
    /// Finds slow calls of the handler; nil: there is no limit.
    private var slowCalls: SlowCalls?
    /// What the store has refused to make durable; nothing else of the stream is committed, and nothing deferred read, before it.
    var refused: RefusedCommit?
    /// What has to be noted before anything more is read or handed out: see ``CrashWatch``. Nil: nothing.
    var start: StreamStart?
    /// Pages that are read and wait for that.
    var beginning: [any MessagePage] = []
    /// When to look for deferred messages; nil: there are none.
    var deferredDue: ContinuousClock.Instant?

    /// - Parameter firstSequence: The number of its first page: another one for each stream that a loop has, so that what comes late of one
    ///   that is gone is not taken for that of one with the same id.
    /// - Parameter pageMessages: How many messages are read at once at most.
    init(
        id: StreamID, dispatcher: Dispatcher, firstSequence: Int, pageMessages: Int, now: ContinuousClock.Instant
    ) {
        self.pace = PagePace(
            least: dispatcher.handler.leastPage, most: min(pageMessages, dispatcher.handler.mostPage))
        self.id = id
        self.dispatcher = dispatcher
        self.ledger = Ledger(firstSequence: firstSequence)
        self.deferredDue = now
        let settings = dispatcher.handler.settings
        self.slowCalls = settings.parkedAfter.map { SlowCalls(limit: $0, lanes: settings.concurrency) }
    }

    /// Begins nothing of pages of which nothing has begun. Another session reads them again, or the stream goes on.
    func hold() { self.ledger.hold(after: self.dispatcher.hold()) }

    /// Nothing is held back any more.
    func goOn() {
        self.ledger.hold(after: nil)
        self.dispatcher.goOn()
    }

    var destination: Destination { self.dispatcher.observer.destination }

    /// Hands a page to the dispatcher.
    ///
    /// - Parameters:
    ///   - crashes: How often the process has ended while the page's only message was delivered.
    ///   - calls: Asked before each call of the handler; nil: the handler is called at once.
    func submit(
        _ page: any MessagePage, crashes: Int = 0, calls: WatchedCalls? = nil, now: ContinuousClock.Instant
    ) {
        let ticket = PageTicket(
            page: page, sequence: self.ledger.nextSequence, lanes: self.dispatcher.handler.settings.concurrency,
            crashes: crashes, calls: calls, submittedAt: now)
        self.ledger.add(ticket, origin: page.origin, count: page.count, bytes: page.byteCount)
        let observer = self.dispatcher.observer
        if page.origin == .log {
            // A row can have any date, infinity too: a date out of range must not crash the relay.
            let seconds = min(max(-page.createdAt(at: 0).timeIntervalSinceNow, 0), 1e9)
            observer.lag(nanoseconds: Int64(seconds * 1e9))
        }
        observer.inFlight(self.ledger.messages)
        self.dispatcher.submit(ticket)
    }

    /// Every message of a page is settled.
    func settle(_ ticket: PageTicket, now: ContinuousClock.Instant) {
        self.ledger.settle(ticket.sequence)
        self.pace.settled(ticket.page.count, submitted: ticket.submittedAt, now: now)
    }

    /// Whether the window has no room for a page.
    func isFull(_ settings: RelaySettings.Resolved) -> Bool {
        self.room(settings) == nil
    }

    /// What may be read now: at least half a page, so that pages do not get small when the window is nearly full.
    func room(_ settings: RelaySettings.Resolved) -> (messages: Int, bytes: Int)? {
        let messages = min(self.pace.messages, settings.window.messages - self.messages)
        let bytes = min(settings.page.bytes, settings.window.bytes - self.bytes)
        let (halfMessages, halfBytes) = (self.pace.messages / 2, settings.page.bytes / 2)
        guard messages > 0, bytes > 0, messages >= halfMessages, bytes >= halfBytes else { return nil }
        return (messages, bytes)
    }

    /// What to ask the store for; nil: nothing.
    func request(_ settings: RelaySettings.Resolved, now: ContinuousClock.Instant) -> ReadRequest? {
        guard self.start == nil, self.dispatcher.wantsMessages else { return nil }
        let room = self.room(settings)
        let deferred = !self.waitsWithDeferred && self.deferredDue.map { $0 <= now } ?? false
        guard room != nil || deferred else { return nil }
        return ReadRequest(
            stream: self.id, messages: room?.messages ?? 0, bytes: room?.bytes ?? settings.page.bytes,
            deferred: deferred, excluding: deferred ? self.parked.ids : [],
            hasRoomForMore: self.hasRoom(forPages: 2, settings))
    }

    private func hasRoom(forPages count: Int, _ settings: RelaySettings.Resolved) -> Bool {
        self.messages + count * self.pace.messages <= settings.window.messages
            && self.bytes + count * settings.page.bytes <= settings.window.bytes
    }

    /// Messages of the log that were read and are not durable.
    private var messages: Int { self.ledger.messages + (self.refused?.messages ?? 0) }
    /// Their bytes.
    private var bytes: Int { self.ledger.bytes + (self.refused?.bytes ?? 0) }

    /// When to look for deferred messages next, unless a page of them is on its way or none is wanted.
    var waitingDue: ContinuousClock.Instant? {
        self.waitsWithDeferred || self.start != nil || !self.dispatcher.wantsMessages ? nil : self.deferredDue
    }

    /// Whether deferred messages were read and are not durable, or none may be read.
    private var waitsWithDeferred: Bool { self.ledger.hasDeferred || self.refused?.work != nil }

    /// When what was refused is tried again, unless there is nothing to try.
    var retryAt: ContinuousClock.Instant? {
        guard let refused = self.refused else { return nil }
        let isWaiting = refused.work != nil || self.start != nil
        return isWaiting || self.ledger.committable + self.parked.committable > 0 ? refused.retryAt : nil
    }

    /// What the relay is doing with the stream, for observers.
    var activity: StreamActivity {
        StreamActivity(inFlight: self.messages, outage: self.dispatcher.isOpen ? self.dispatcher.observer.outage : nil)
    }

    /// Whether there is something that is still going to be settled.
    var isWorking: Bool {
        (self.ledger.isUnsettled && !self.dispatcher.hasEnded) || self.parked.isRunning
            || self.refused?.hasOutcomes == true
    }

    /// Ends the delivery of a stream that is not the session's any more: handlers finish the calls that they are in, and nothing of it is
    /// committed.
    func leave() {
        self.dispatcher.abandon()
        self.beginning.removeAll()
        self.start = nil
        self.refused = nil
        self.dispatcher.observer.inFlight(0)
    }

    /// Whether no handler is being called any more, after ``leave()``.
    var hasLeft: Bool { self.dispatcher.hasEnded && !self.parked.isRunning }

    /// Whether nothing of it is on its way, and all that was done is committed.
    var isFinished: Bool {
        self.ledger.isEmpty && self.parked.isEmpty && self.refused == nil && self.start == nil && self.beginning.isEmpty
    }

    /// Whether a handler is being called with something that holds up the cursor.
    var isDelivering: Bool { self.ledger.isUnsettled && !self.dispatcher.isOpen }

    /// Parks slow calls. While the destination is down, these are at most a probe and calls from before: messages that wait for the
    /// destination are held.
    ///
    /// - Returns: When to look again; nil: not before something else happens.
    func parkSlowCalls(now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        guard var slowCalls = self.slowCalls else { return nil }
        defer { self.slowCalls = slowCalls }
        guard self.ledger.isUnsettled, !self.dispatcher.isOpen || self.dispatcher.isCalling else {
            slowCalls.rest()
            return nil
        }
        if now >= slowCalls.due(now: now) {
            for (lane, call) in slowCalls.look(now: now, at: self.dispatcher.call(of:)) {
                guard let parked = self.dispatcher.park(lane, call) else { continue }
                self.parked.park(parked.messages, page: parked.page)
            }
        }
        return slowCalls.due(now: now)
    }
}
