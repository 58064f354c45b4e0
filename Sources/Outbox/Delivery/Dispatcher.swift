import Logging
import Synchronization
import Tracing

/// Delivers the pages of one stream: spreads them over lanes, on which workers call the destination's handler.
package final class Dispatcher: Sendable {
    /// What a lane is to do.
    enum Work: Sendable {
        case deliver(LaneRun.Rows)
        /// Retry the messages that the lane holds. The queue has one of these for each lane that holds messages.
        case retryHeld
    }

    /// What became of a parked message; nil: it is delivered.
    package typealias ParkedEnding = (id: Int64, verdict: PageTicket.Verdict?)

    let handler: DestinationHandler
    let policy: DeliveryPolicy
    let observer: DeliveryObserver
    private let scheduler: LaneScheduler<Work>
    private let lanes: [Lane]
    private let gate: Mutex<KeyGate>
    /// A copy of `gate.isOpen` that costs no lock.
    private let gateIsOpen: Atomic<Bool>
    let random: SharedRandom
    private let onSettled: @Sendable (PageTicket) -> Void
    private let onParkedEnd: @Sendable ([ParkedEnding]) -> Void
    private let onChange: @Sendable () -> Void
    private let breaker: BreakerGate?
    /// What the destination's streams share; nil: this is the only one.
    private let seats: CallSeats?
    /// Asked before each call of the handler; nil: there is no limit of rate.
    let pace: DeliveryPace?
    /// Asked before each call of the handler; nil: it is called at once.
    let pulse: Pulse?
    /// What each lane holds while the destination is down.
    private let heldMessages = Mutex<[Int: HeldMessages]>([:])
    private let heldCount = Atomic(0)
    private let unsettledCount = Atomic(0)
    private let abandoned = Atomic(false)

    /// - Parameters:
    ///   - onSettled: Called, from any thread, when the last message of a page is settled.
    ///   - onParkedEnd: Called, from any thread, when the handler of parked messages has finished.
    ///   - onChange: Called, from any thread, when ``wantsMessages``, ``hasEnded`` or what ``probe(now:)`` returns may
    ///     have changed.
    init(
        handler: DestinationHandler, deferredKeys: [UInt64: Int], seats: CallSeats? = nil, pace: DeliveryPace? = nil,
        pulse: Pulse? = nil,
        random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator(),
        observer: DeliveryObserver, onSettled: @escaping @Sendable (PageTicket) -> Void,
        onParkedEnd: @escaping @Sendable ([ParkedEnding]) -> Void,
        onChange: @escaping @Sendable () -> Void
    ) {
        self.handler = handler
        self.seats = seats
        self.pace = pace
        self.pulse = pulse
        let settings = handler.settings
        self.policy = DeliveryPolicy(retry: settings.retry)
        self.observer = observer
        self.scheduler = LaneScheduler(lanes: settings.concurrency, maximumWorkers: settings.concurrency)
        self.lanes = (0..<settings.concurrency).map { _ in Lane() }
        self.gate = Mutex(KeyGate(stored: deferredKeys))
        self.gateIsOpen = Atomic(deferredKeys.isEmpty)
        self.random = SharedRandom(random)
        self.onSettled = onSettled
        self.onParkedEnd = onParkedEnd
        self.onChange = onChange
        self.breaker =
            settings.breaker.isOff
            ? nil : BreakerGate(policy: settings.breaker, random: random, observer: observer, onChange: onChange)
    }

    /// Hands a page to the lanes.
    package func submit(_ ticket: PageTicket) {
        self.unsettledCount.add(ticket.page.count, ordering: .relaxed)
        self.scheduler.add(page: ticket.sequence) { lane in
            let rows = ticket.rows[Int(ticket.starts[lane])..<Int(ticket.starts[lane + 1])]
            return rows.isEmpty ? nil : .deliver(LaneRun.Rows(ticket: ticket, rows: rows))
        }
    }

    /// Holds back the pages of which nothing has begun. Those that have are finished.
    ///
    /// - Returns: The number of the last one that is finished.
    func hold() -> Int { self.scheduler.hold() }

    /// Holds nothing back any more.
    func goOn() { self.scheduler.goOn() }

    /// Ends the workers. They finish the calls in flight; the rest is dropped.
    package func close() {
        self.scheduler.close()
        self.breaker?.end()
        self.observer.tellRest()
    }

    /// How many workers have been started.
    package var workerCount: Int { self.scheduler.workers }

    /// How many of them wait for something to do. A worker waits a moment after it has settled its last message.
    package var waitingWorkerCount: Int { self.scheduler.waiting }

    /// Runs the workers until ``close()``. One is started when there is something for it to do and no other is idle, up to the
    /// handler's concurrency: a destination without messages costs one task that sleeps.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for await _ in self.scheduler.starts { group.addTask { await self.work() } }
        }
    }

    /// The body of one worker.
    private func work() async {
        self.scheduler.begin()
        var finished: Int?
        while let assignment = await self.scheduler.next(finished: finished) {
            let isSeated = await self.seats?.take(for: self) ?? false
            finished = await self.deliver(assignment) ? assignment.lane : nil
            if isSeated { self.seats?.give() }
        }
        self.onChange()
    }

    /// - Returns: Whether the worker still has the lane.
    private func deliver(_ assignment: LaneAssignment<Work>) async -> Bool {
        let lane = assignment.lane
        switch assignment.work {
        case .deliver(let run):
            switch await LaneRun(self, run, self.takeHeld(of: lane)).deliver(in: self.lanes[lane]) {
            case .done(let held): self.keep(held, of: lane)
            case .parked: return false
            case .cancelled: break
            }
        case .retryHeld:
            var held = self.takeHeld(of: lane)
            let runs = held.take()
            self.scheduler.addFirst(runs.map(Work.deliver), toOwn: lane)
        }
        return true
    }

    private func keep(_ held: HeldMessages, of lane: Int) {
        if held.isEmpty { return }
        var held = held
        let isQueued = held.isQueued
        held.isQueued = true
        self.heldMessages.withLock { $0[lane] = held }
        if !isQueued { self.scheduler.add(.retryHeld, toOwn: lane) }
    }

    private func takeHeld(of lane: Int) -> HeldMessages {
        if self.heldCount.load(ordering: .relaxed) == 0 { return HeldMessages() }
        return self.heldMessages.withLock { $0.removeValue(forKey: lane) } ?? HeldMessages()
    }

    /// Notes the end of a run, of which some messages are held.
    func settle(_ run: LaneRun.Rows, held: Int, exceptions: [PageTicket.Exception]) {
        let count = run.rows.count - held
        if count > 0 {
            self.unsettledCount.subtract(count, ordering: .relaxed)
            if run.isRetry { self.heldCount.subtract(count, ordering: .relaxed) }
            if run.ticket.settle(count: count, exceptions: exceptions) { self.onSettled(run.ticket) }
        }
        // What is read next may depend on it.
        if self.isOpen { self.onChange() }
    }

    /// Reports that a handler has taken a message.
    func noteDelivered(_ message: Message) {
        if !self.observer.isListened { return }
        self.observer.emit(.delivered(id: message.id, destination: message.destination, attempt: message.attempt))
    }
}

// MARK: - A destination that is down

extension Dispatcher {
    /// Whether the destination counts as down.
    package var isOpen: Bool { self.breaker?.isOpen ?? false }

    /// Whether a handler is being called, or is going to be.
    package var isCalling: Bool { self.breaker?.isProbing == true || self.lanes.contains { $0.call != nil } }

    /// Whether to read on: the destination is up, or every message read so far is held. One message that wrongly finds its
    /// destination down must not stop the stream.
    package var wantsMessages: Bool {
        !self.isOpen || self.heldCount.load(ordering: .relaxed) == self.unsettledCount.load(ordering: .relaxed)
    }

    /// Has a message delivered as a probe, if it is time.
    ///
    /// - Returns: When to call again; nil: after the next change.
    package func probe(now: ContinuousClock.Instant) -> ContinuousClock.Instant? { self.breaker?.probe(now: now) }

    /// Drops the messages that wait for a destination that is down. Another session reads them again.
    package func abandonIfOpen() {
        if self.isOpen { self.abandon() }
    }

    /// Drops the messages whose delivery has not begun. Another session reads them again.
    package func abandon() {
        if self.abandoned.exchange(true, ordering: .relaxed) { return }
        self.close()
        self.seats?.dismiss(self)
        self.pace?.dismiss(self)
    }

    /// Whether it was given up, and no handler is being called any more.
    package var hasEnded: Bool {
        self.isAbandoned && !self.scheduler.isRunning
    }

    /// Whether the messages are dropped whose delivery has not begun.
    var isAbandoned: Bool { self.abandoned.load(ordering: .relaxed) }

    /// Whether to ask ``pass()`` before the handler is called; costs no lock.
    var isBarred: Bool { self.breaker?.isBarred ?? false }

    /// Waits until the handler may be called.
    ///
    /// - Returns: nil: it is over, nothing more is to be delivered.
    func pass() async -> Breaker.Pass? {
        guard let breaker = self.breaker else { return .call }
        return await breaker.pass()
    }

    /// Decides whether a message's outcome counts.
    func judge(_ message: Message, _ outcome: Outcome, _ pass: Breaker.Pass, isRetry: Bool) -> Breaker.Verdict {
        guard let breaker = self.breaker else { return .settle }
        return breaker.report(
            Breaker.Attempt(
                id: message.id, subject: message.page.keyHash(at: message.row) ?? UInt64(bitPattern: message.id),
                isRetry: isRetry), outcome, pass)
    }

    /// So many messages more are held.
    func held(_ count: Int) { self.heldCount.add(count, ordering: .relaxed) }
}

// MARK: - Calls that take long

extension Dispatcher {
    /// The number of the call that a lane is in; nil: it is in none.
    func call(of lane: Int) -> UInt64? { self.lanes[lane].call }

    /// Parks the messages of a lane's call, and lets another worker go on with the lane.
    ///
    /// - Parameters:
    ///   - lane: The lane.
    ///   - call: The number of its call.
    /// - Returns: The messages, and the number of their page; nil: the call has ended.
    func park(_ lane: Int, _ call: UInt64) -> (page: Int, messages: [ParkedMessage])? {
        guard let run = self.lanes[lane].take(call) else { return nil }
        let page = run.sequence
        let pass = run.pass
        let (parked, held, rest) = run.park()
        self.keep(held, of: lane)
        self.scheduler.takeAway(lane, rest: rest.map(Work.deliver))
        self.breaker?.takesLong(pass)
        return (page, parked)
    }

    /// The handler of parked messages has finished.
    ///
    /// - Parameter crashes: How often the process has ended while it delivered them.
    func finishParked(_ messages: [Message], _ outcomes: LaneRun.Outcomes, _ pass: Breaker.Pass, crashes: Int) {
        var endings: [ParkedEnding] = []
        // Of several that are parked together and of one key, the first that waits again is the one that the others wait for.
        var failed: Set<UInt64> = []
        for (index, message) in messages.enumerated() {
            let key = self.orderingKey(of: message)
            let isBehind = key.map(failed.contains) ?? false
            defer { if let key, endings.last?.verdict?.deferral != nil { failed.insert(key) } }
            let outcome = outcomes[index]
            var facts = self.facts(of: message, crashes: crashes)
            facts.isBehind = isBehind
            // A message that alone reports its destination as down is deferred alone; it is in `deferred` anyway.
            switch self.judge(message, outcome, pass, isRetry: true) {
            case .settle:
                let verdict = self.verdict(on: facts, outcome)
                endings.append((message.id, verdict))
                if verdict != nil { continue }
                self.observer.delivered(1, of: message.page)
                self.noteDelivered(message)
            case .hold:
                endings.append((message.id, self.policy.parkedWhileDown(facts, outcome)))
            }
        }
        self.onParkedEnd(endings)
    }
}

// MARK: - Order by key

extension Dispatcher {
    /// Whether a message of the log has to queue behind deferred ones of its key.
    func isBlocked(key: @autoclosure () -> UInt64?) -> Bool {
        if self.gateIsOpen.load(ordering: .acquiring) { return false }
        guard let key = key() else { return false }
        return self.gate.withLock { $0.isBlocked(key) }
    }

    /// From now on, messages of that key queue.
    func block(key: UInt64) {
        self.updateGate { $0.block(key) }
    }

    /// The store has deferred the messages for which keys were blocked, and removed others.
    package func committed(deferred: [UInt64], removed: [UInt64]) {
        if deferred.isEmpty && removed.isEmpty { return }
        self.updateGate { $0.committed(deferred: deferred, removed: removed) }
    }

    /// Another session has changed the deferred messages.
    package func reload(deferredKeys: [UInt64: Int]) {
        self.updateGate { $0.reload(stored: deferredKeys) }
    }

    private func updateGate(_ change: (inout KeyGate) -> Void) {
        self.gate.withLock { gate in
            change(&gate)
            self.gateIsOpen.store(gate.isOpen, ordering: .releasing)
        }
    }
}
