import Logging
import Tracing

/// Delivers rows that one lane has of one page, one after the other.
///
/// While the handler is called, the run lies in its ``Lane``, for whoever finds that the call takes too long.
struct LaneRun: ~Copyable, Sendable {
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
        /// Somebody else goes on with the lane.
        case parked
        /// The delivery was cancelled or has to end, and what is unsettled stays so: the page will be read again.
        case cancelled
    }

    private enum Call: Sendable {
        case message(Message, @Sendable (Message) async throws -> Void)
        case batch(MessageBatch, @Sendable (MessageBatch) async throws -> [Outcome])

        var messages: [Message] {
            switch self {
            case .message(let message, _): [message]
            case .batch(let batch, _): batch.messages
            }
        }
    }

    private let dispatcher: Dispatcher
    private let run: Rows
    private let page: any MessagePage
    private var exceptions: [PageTicket.Exception] = []
    private var delivered = 0
    /// The lane's, those of this run among them.
    private var held: HeldMessages
    private var heldCount = 0
    /// The next row to look at.
    private var next: Int
    /// What the handler is called with, while it is.
    private var call: Call?

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
    consuming func deliver(in lane: Lane) async -> End {
        let dispatcher = self.dispatcher
        let isRetry = self.run.isRetry
        let crashes = self.run.ticket.crashes
        // Not copied for each message; nor is there a choice where there are no routes.
        let handler = dispatcher.handler
        let only = handler.routes.isEmpty ? handler.action(for: nil) : nil
        var run = self
        while !Task.isCancelled, let message = run.admitNext() {
            guard let target = only ?? handler.action(for: message.route) else {
                run.record(message, .retry("no handler for the route"))
                continue
            }
            guard let pass = dispatcher.isBarred ? await dispatcher.pass() : .call else { return .cancelled }
            let call = run.gather(message, target, pass)
            let number = lane.begin(run)
            let outcomes = await Self.outcomes(of: call, dispatcher.observer)
            guard let back = lane.take(number) else {
                if let outcomes { dispatcher.finishParked(call.messages, outcomes, pass, crashes: crashes) }
                return .parked
            }
            run = back
            guard let outcomes else { return .cancelled }
            run.conclude(call, outcomes, pass, isRetry: isRetry)
        }
        if Task.isCancelled { return .cancelled }
        return .done(run.settle())
    }

    /// Notes the end of what was delivered. Of a run that was cut, `run` is the part before.
    private consuming func settle() -> HeldMessages {
        var rows = self.run
        rows.rows = rows.rows[..<self.next]
        self.dispatcher.observer.delivered(self.delivered, of: self.page)
        self.dispatcher.settle(rows, held: self.heldCount, exceptions: self.exceptions)
        return self.held
    }

    // MARK: - Calling the handler

    /// The next message that is to be given to the handler now.
    private mutating func admitNext() -> Message? {
        while self.next < self.run.rows.endIndex {
            let message = Message(page: self.page, row: Int(self.run.rows[self.next]))
            self.next += 1
            if self.admit(message) { return message }
        }
        return nil
    }

    /// What the handler is called with: the message, and if it takes batches, those after it that are for the same closure.
    private mutating func gather(
        _ message: Message, _ target: (index: Int, action: DestinationHandler.Action), _ pass: Breaker.Pass
    ) -> Call {
        let call: Call
        switch target.action {
        case .message(let body):
            call = .message(message, body)
        case .batch(let maximumCount, let body):
            var messages = [message]
            let handler = self.dispatcher.handler
            // One message is enough for a probe.
            while pass != .probe, messages.count < maximumCount, self.next < self.run.rows.endIndex {
                let message = Message(page: self.page, row: Int(self.run.rows[self.next]))
                if !handler.routes.isEmpty, handler.action(for: message.route)?.index != target.index { break }
                self.next += 1
                if self.admit(message) { messages.append(message) }
            }
            call = .batch(MessageBatch(messages, isOrderedByKey: handler.ordering.isByKey), body)
        }
        self.call = call
        return call
    }

    /// - Returns: An outcome for each message; nil: the task was cancelled, so failures mean nothing.
    private static func outcomes(of call: Call, _ observer: DeliveryObserver) async -> Outcomes? {
        do {
            switch call {
            case .message(let message, let body):
                if observer.isTracing {
                    try await observer.traced(message) { try await body(message) }
                } else {
                    try await body(message)
                }
                return .all(.delivered)
            case .batch(let batch, let body):
                let outcomes = try await body(batch)
                if outcomes.count == batch.count { return .each(outcomes) }
                return .all(.retry("the handler returned \(outcomes.count) outcomes for \(batch.count)"))
            }
        } catch {
            if Task.isCancelled { return nil }
            return .all(Outcome(thrown: error))
        }
    }

    /// What a handler has made of the messages that it was called with.
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

    private mutating func conclude(_ call: Call, _ outcomes: Outcomes, _ pass: Breaker.Pass, isRetry: Bool) {
        self.call = nil
        switch call {
        case .message(let message, _):
            self.conclude(message, outcomes[0], pass, isRetry: isRetry)
        case .batch(let batch, _):
            for (index, message) in batch.messages.enumerated() {
                self.conclude(message, outcomes[index], pass, isRetry: isRetry)
            }
        }
    }

    /// Notes what became of a message, unless the destination is down and it stays as it was.
    private mutating func conclude(_ message: Message, _ outcome: Outcome, _ pass: Breaker.Pass, isRetry: Bool) {
        // What waits for one that is held is held as well.
        if outcome == .behind, self.isBehindHeld(message) { return self.hold(message) }
        switch self.dispatcher.judge(message, outcome, pass, isRetry: isRetry) {
        case .settle: self.record(message, outcome)
        case .hold: self.hold(message)
        }
    }

    private mutating func hold(_ message: Message) {
        self.heldCount += 1
        if !self.run.isRetry { self.dispatcher.held(1) }
        self.held.add(Int32(message.row), of: self.run.ticket, key: self.dispatcher.orderingKey(of: message))
    }

    // MARK: - Parking

    /// Settles what the handler is called with as parked: it waits in `deferred` for the end of the call, which is counted
    /// as an attempt, lest one that ends the process begins anew for ever.
    ///
    /// - Returns: The messages; what the lane holds; and what is left of the run for somebody else.
    consuming func park() -> (parked: [ParkedMessage], held: HeldMessages, rest: Rows?) {
        var run = self
        let messages = run.call?.messages ?? []
        let parked = messages.map { message in
            let key = run.dispatcher.orderingKey(of: message)
            return ParkedMessage(
                id: message.id, attempts: run.attempts(of: message),
                key: key == nil ? nil : run.page.key(at: message.row), keyHash: key)
        }
        for message in messages {
            let deferral = run.dispatcher.deferral(
                message, run.isBehind(message) ? .behindKey : .after(.zero), attempts: run.attempts(of: message) + 1,
                error: "the relay ended before the handler had")
            run.except(message, .parked(deferral))
        }
        var rest = run.run
        rest.rows = rest.rows[run.next...]
        return (parked, run.settle(), rest.rows.isEmpty ? nil : rest)
    }

    // MARK: - What happens to a message that is not delivered

    /// Whether the message is to be given to the handler now.
    private mutating func admit(_ message: Message) -> Bool {
        let row = message.row
        let attempts = self.attempts(of: message)
        if let defect = message.defect {
            self.except(
                message, .dead(self.dispatcher.death(message, .undecodable, defect.description, attempts: attempts)))
            return false
        }
        if self.page.origin == .log, self.page.isScheduled(at: row) {
            self.except(
                message,
                .deferred(Deferral(id: message.id, attempts: attempts, due: .scheduled, ordered: false, error: nil)))
            return false
        }
        if self.isBehindHeld(message) {
            self.hold(message)
            return false
        }
        if let verdict = self.verdictBehind(message) {
            self.except(message, verdict)
            return false
        }
        if self.dispatcher.isExhausted(message, attempts: attempts) {
            self.except(message, .dead(self.unfinished(message, attempts)))
            return false
        }
        return true
    }

    /// Whether an earlier message of its key is held.
    private func isBehindHeld(_ message: Message) -> Bool {
        guard !self.held.isEmpty, let key = self.dispatcher.orderingKey(of: message) else { return false }
        return self.held.contains(key: key)
    }

    /// What becomes of a message of which an earlier one of its key waits for another attempt; nil: none does.
    private func verdictBehind(_ message: Message) -> PageTicket.Verdict? {
        switch self.page.origin {
        case .log:
            if !self.isBehind(message) { return nil }
        case .deferred:
            guard let key = self.dispatcher.orderingKey(of: message) else { return nil }
            let hasFailed = self.run.ticket.hasFailed(key: key)
            if !self.page.isHeld(at: message.row) {
                if !hasFailed { return nil }
                if self.page.isOrdered(at: message.row) { return .untouched }
            }
        }
        return .deferred(
            self.dispatcher.deferral(message, .behindKey, attempts: self.attempts(of: message), error: nil))
    }

    /// A message whose last attempt was begun and never ended.
    private func unfinished(_ message: Message, _ attempts: Int) -> Death {
        let crashes = self.run.ticket.crashes
        if crashes == 0 { return self.dispatcher.death(message, .exhausted, nil, attempts: attempts) }
        let times = crashes == 1 ? "once" : "\(crashes) times"
        return self.dispatcher.death(
            message, .crashed, "the relay's process ended \(times) while it delivered this message alone",
            attempts: attempts)
    }

    private mutating func record(_ message: Message, _ outcome: Outcome) {
        if case .delivered = outcome.kind {
            self.delivered += 1
            self.dispatcher.noteDelivered(message)
            return
        }
        if outcome == .behind, let verdict = self.verdictBehind(message) { return self.except(message, verdict) }
        let verdict = self.dispatcher.verdict(
            on: message, outcome, attempts: self.attempts(of: message), isBehind: self.isBehind(message))
        if let verdict { self.except(message, verdict) }
    }

    /// How often delivery was tried before; what ended the process is an attempt too.
    private func attempts(of message: Message) -> Int {
        self.page.attempts(at: message.row) + self.run.ticket.crashes
    }

    /// Whether an earlier message of its key waits. A batch can fail for several messages of one key: the first is the one
    /// that the others wait for.
    private func isBehind(_ message: Message) -> Bool {
        self.page.origin == .log && self.dispatcher.isBlocked(key: self.dispatcher.orderingKey(of: message))
    }

    /// Notes a verdict, and closes the key's gate where later messages have to wait.
    private mutating func except(_ message: Message, _ verdict: PageTicket.Verdict) {
        var blocked: UInt64?
        if let deferral = verdict.deferral, deferral.ordered, let key = self.page.keyHash(at: message.row) {
            self.run.ticket.fail(key: key)
            if self.page.origin == .log || !self.page.isOrdered(at: message.row) {
                self.dispatcher.block(key: key)
                blocked = key
            }
        }
        self.exceptions.append(PageTicket.Exception(row: message.row, verdict: verdict, blocked: blocked))
    }
}
