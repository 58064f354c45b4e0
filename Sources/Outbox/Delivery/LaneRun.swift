import Logging
import Tracing

/// Delivers rows that one lane has of one page, one after the other.
///
/// A class, so that nothing has to be moved for each call of the handler. Owned by one task at a time: the worker, until the relay
/// loop takes the call over from the ``Lane`` to park it.
final class LaneRun: @unchecked Sendable {
    // @unchecked: what changes is touched by its owner only, and Lane hands it over with acquire and release.

    /// Rows of one page that belong to one lane.
    struct Rows: Sendable {
        let ticket: PageTicket
        var rows: ArraySlice<Int32>
        /// Whether they were held before.
        var isRetry = false
    }

    /// How a run has ended.
    enum End {
        /// Everything is settled, but for what the lane holds now.
        case done(HeldMessages)
        /// Another worker goes on with the lane.
        case parked
        /// The delivery was cancelled or has to end. Unsettled messages stay unsettled: the page will be read again.
        case cancelled
    }

    let dispatcher: Dispatcher
    let run: Rows
    let page: any MessagePage
    var exceptions: [PageTicket.Exception] = []
    var delivered = 0
    /// The lane's, those of this run among them.
    var held: HeldMessages
    var heldCount = 0
    /// The next row to look at.
    var next: Int
    /// What the handler is called with, if it takes batches; else with the message before ``next``.
    var batch: MessageBatch?
    /// The last call that the relay has noted, and how many messages were held before it.
    private var watched: (call: WatchedCalls.Call, heldCount: Int)?
    /// The permission with which the handler is called.
    var pass = Breaker.Pass.call
    /// What a batch is delivered to, if it is a transport.
    var transport: (any Transport)?

    init(_ dispatcher: Dispatcher, _ run: Rows, _ held: HeldMessages) {
        self.dispatcher = dispatcher
        self.run = run
        self.page = run.ticket.page
        self.held = held
        self.next = run.rows.startIndex
    }

    /// The number of the page.
    var sequence: Int { self.run.ticket.sequence }

    /// Calls the handler for each row and settles those that are not held.
    func deliver(in lane: Lane) async -> End {
        lane.enter(self)
        let end = await self.callHandler(in: lane)
        // The lane of a parked run belongs to another task.
        if case .parked = end { return end }
        lane.leave()
        self.endWatched()
        return end
    }

    private func callHandler(in lane: Lane) async -> End {
        let dispatcher = self.dispatcher
        let handler = dispatcher.handler
        // Where there are no routes there is no choice.
        let only = handler.routes.isEmpty ? handler.action(for: nil) : nil
        while !Task.isCancelled, let message = self.admitNext() {
            if dispatcher.isAbandoned { return .cancelled }
            guard let target = only ?? handler.action(for: message.route) else {
                self.record(message, .retry("no handler for the route"))
                continue
            }
            let turn = self.turn(for: target.action)
            guard let pass = await self.admission(for: turn) else { return .cancelled }
            self.pass = pass
            if let calls = self.run.ticket.calls {
                switch await self.beginWatched(message, target.action, calls) {
                case .call: break
                case .outOfReach(let outcome):
                    dispatcher.pace?.giveBack(turn)
                    self.conclude(message, outcome, pass)
                    continue
                case .over: return .cancelled
                }
            }
            if let pulse = dispatcher.pulse, !pulse.isTrusted {
                if await !pulse.wait() || dispatcher.isAbandoned { return .cancelled }
            }
            let end: End?
            switch target.action {
            case .message(let body):
                end = await self.call(body, with: message, pass, in: lane)
            case .batch(let maximumCount, let transport, let body):
                self.transport = transport
                // One message is enough for a probe.
                let room = BatchRoom(
                    transport?.batchLimit ?? .none, maximumCount: pass == .call ? min(maximumCount, turn) : 1)
                let batch = self.gather(message, target.index, room)
                dispatcher.pace?.giveBack(turn - batch.count)
                end = await self.call(body, with: batch, pass, in: lane)
            }
            if let end { return end }
        }
        return Task.isCancelled ? .cancelled : .done(self.settle())
    }

    /// Waits until the destination is up, and then for a turn.
    ///
    /// - Returns: nil: it is over, nothing more is to be delivered.
    private func admission(for count: Int) async -> Breaker.Pass? {
        let dispatcher = self.dispatcher
        while true {
            guard let pass = dispatcher.isBarred ? await dispatcher.pass() : .call else { return nil }
            guard let pace = dispatcher.pace else { return pass }
            if await !pace.wait(for: count, by: dispatcher) || dispatcher.isAbandoned { return nil }
            // Where it has gone down meanwhile the turn is over: all lanes that had theirs would call at once when it is up again.
            if pass != .call || !dispatcher.isBarred { return pass }
        }
    }

    /// How many messages are handed over at once at most, as far as the destination's limit of rate is concerned.
    private func turn(for action: DestinationHandler.Action) -> Int {
        guard let pace = self.dispatcher.pace else { return .max }
        switch action {
        case .message: return 1
        case .batch(let maximumCount, _, _):
            // And no more than there are, so that other lanes need not wait for what is given back.
            return min(maximumCount, pace.mostAtOnce, self.run.rows.endIndex - self.next + 1)
        }
    }

    /// Notes the end of what was delivered. Of a run that was cut, it is the part before.
    func settle() -> HeldMessages {
        var rows = self.run
        rows.rows = rows.rows[..<self.next]
        self.dispatcher.observer.delivered(self.delivered, of: self.page)
        self.dispatcher.settle(rows, held: self.heldCount, exceptions: self.exceptions)
        return self.held
    }

    // MARK: - Calling the handler

    /// The next message that is to be given to the handler now.
    private func admitNext() -> Message? {
        while self.next < self.run.rows.endIndex {
            let message = Message(page: self.page, row: Int(self.run.rows[self.next]))
            self.next += 1
            if self.admit(message) { return message }
        }
        return nil
    }

    /// The message, and those after it that are for the same closure and that there is room for.
    private func gather(_ message: Message, _ index: Int, _ room: BatchRoom) -> MessageBatch {
        var room = room
        var messages = [message]
        room.add(message)
        let handler = self.dispatcher.handler
        while self.next < self.run.rows.endIndex {
            let message = Message(page: self.page, row: Int(self.run.rows[self.next]))
            if !handler.routes.isEmpty, handler.action(for: message.route)?.index != index { break }
            if !room.fits(message) { break }
            self.next += 1
            if !self.admit(message) { continue }
            messages.append(message)
            room.add(message)
        }
        return MessageBatch(messages, isOrderedByKey: handler.settings.ordering.isByKey)
    }

    /// - Returns: nil: the run goes on.
    private func call(
        _ body: @Sendable (Message) async throws -> Void, with message: Message, _ pass: Breaker.Pass, in lane: Lane
    ) async -> End? {
        let observer = self.dispatcher.observer
        let call = lane.begin()
        var outcome = Outcome.delivered
        do {
            if observer.isTracing {
                try await observer.traced(message) { try await body(message) }
            } else {
                try await body(message)
            }
        } catch {
            // A failure after the cancellation means nothing.
            if Task.isCancelled { return lane.end(call) ? .cancelled : .parked }
            outcome = Outcome(thrown: error)
        }
        guard lane.end(call) else {
            self.finishParked([message], .all(outcome), pass)
            return .parked
        }
        self.conclude(message, outcome, pass)
        return nil
    }

    /// - Returns: nil: the run goes on.
    private func call(
        _ body: @Sendable (MessageBatch) async throws -> [Outcome], with batch: MessageBatch, _ pass: Breaker.Pass,
        in lane: Lane
    ) async -> End? {
        self.batch = batch
        let call = lane.begin()
        let outcomes: Outcomes
        do {
            let all = try await body(batch)
            outcomes =
                all.count == batch.count
                ? .each(all) : .all(.retry("the handler returned \(all.count) outcomes for \(batch.count)"))
        } catch {
            if Task.isCancelled { return lane.end(call) ? .cancelled : .parked }
            outcomes = .all(Outcome(thrown: error))
        }
        guard lane.end(call) else {
            self.finishParked(batch.messages, outcomes, pass)
            return .parked
        }
        self.batch = nil
        for (index, message) in batch.messages.enumerated() { self.conclude(message, outcomes[index], pass) }
        return nil
    }

    /// The outcomes of the messages that the handler was called with.
    enum Outcomes: Sendable {
        case all(Outcome)
        case each([Outcome])

        subscript(_ index: Int) -> Outcome {
            switch self {
            case .all(let outcome): outcome
            case .each(let outcomes): outcomes[index]
            }
        }
    }

    private func finishParked(_ messages: [Message], _ outcomes: Outcomes, _ pass: Breaker.Pass) {
        self.dispatcher.finishParked(messages, outcomes, pass, crashes: self.run.ticket.crashes)
    }

    /// Notes what became of a message, unless the destination is down and it stays as it was.
    private func conclude(_ message: Message, _ outcome: Outcome, _ pass: Breaker.Pass) {
        // What waits for one that is held is held as well, though the destination may be up again by now: it must not be
        // deferred, where the other one would come after it.
        if pass == .call, self.isBehindHeld(message) {
            switch outcome.kind {
            case .behind, .retry, .unavailable, .postponed: return self.hold(message)
            case .delivered, .rejected: break
            }
        }
        switch self.dispatcher.judge(message, outcome, pass, isRetry: self.run.isRetry) {
        case .settle: self.record(message, outcome)
        case .hold: self.hold(message)
        }
    }

    // MARK: - One message at a time

    private enum Turn {
        case call
        /// The handler is not called, because its destination is out of reach.
        case outOfReach(Outcome)
        /// Nothing more is to be delivered.
        case over
    }

    /// Waits for contact and then for its turn, in this order: an attempt begins with contact.
    private func beginWatched(
        _ message: Message, _ action: DestinationHandler.Action, _ calls: WatchedCalls
    ) async -> Turn {
        if case .batch(_, let transport?, _) = action, let health = await calls.contact(with: transport) {
            if !health.isUp { return .outOfReach(.unavailable(health.reason ?? "\(transport) is \(health)")) }
        }
        self.endWatched()
        let call = WatchedCalls.Call(stream: self.page.stream, id: message.id, page: self.sequence)
        guard await calls.begin(call) else { return .over }
        self.watched = (call, self.heldCount)
        return .call
    }

    /// After what the call has led to was told: the relay may note the next message now.
    private func endWatched() {
        guard let watched = self.watched else { return }
        self.watched = nil
        self.run.ticket.calls?.end(watched.call, isHeld: self.heldCount > watched.heldCount)
    }

    // MARK: - Parking

    /// Settles the messages of the current call as parked: they wait in `deferred` for the end of the call. This counts as an attempt, so
    /// that a message that crashes the process runs out of attempts. It does not count while the transport has no contact,
    /// because then no attempt has begun.
    ///
    /// - Returns: The messages; what the lane holds; and what is left of the run, for another worker.
    func park() -> (parked: [ParkedMessage], held: HeldMessages, rest: Rows?) {
        let messages =
            self.batch?.messages ?? [Message(page: self.page, row: Int(self.run.rows[self.next - 1]))]
        let parked = messages.map { message in
            let key = self.dispatcher.orderingKey(of: message)
            return ParkedMessage(
                id: message.id, attempts: self.attempts(of: message),
                key: key == nil ? nil : self.page.text(.key, at: message.row), keyHash: key)
        }
        let isBegun = self.batch == nil || self.transport?.health.isUp != false
        for message in messages {
            let facts = self.facts(of: message, isBehind: self.isBehind(message))
            self.except(message, self.dispatcher.policy.parked(facts, isBegun: isBegun))
        }
        var rest = self.run
        rest.rows = rest.rows[self.next...]
        let held = self.settle()
        self.endWatched()
        return (parked, held, rest.rows.isEmpty ? nil : rest)
    }
}
