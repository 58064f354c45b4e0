import Logging
import Tracing

/// Delivers rows that one lane has of one page, one after the other.
struct LaneRun: ~Copyable {
    /// Rows of one page that belong to one lane.
    struct Rows: Sendable {
        let ticket: PageTicket
        var rows: ArraySlice<Int32>
        /// Whether they were held before.
        var isRetry = false
    }

    private let dispatcher: Dispatcher
    private let run: Rows
    private let page: any MessagePage
    private var exceptions: [PageTicket.Exception] = []
    private var delivered = 0
    /// The lane's, those of this run among them.
    private var held: HeldMessages
    private var heldCount = 0

    init(_ dispatcher: Dispatcher, _ run: Rows, _ held: HeldMessages) {
        self.dispatcher = dispatcher
        self.run = run
        self.page = run.ticket.page
        self.held = held
    }

    /// Calls the handler for each row and settles those that are not held.
    ///
    /// - Returns: What the lane holds now. Nil: the delivery was cancelled or has to end, and what is unsettled stays so:
    ///   the page will be read again.
    consuming func deliver() async -> HeldMessages? {
        var batch: [Message] = []
        var batchAction: (index: Int, action: DestinationHandler.Action)?
        let handler = self.dispatcher.handler
        let single = handler.routes.isEmpty ? handler.action(for: nil) : nil

        for index in self.run.rows.indices {
            if Task.isCancelled { return nil }
            let message = Message(page: self.page, row: Int(self.run.rows[index]))
            guard self.admit(message) else { continue }
            let target = single ?? handler.action(for: message.route)
            // A batch is of one closure's messages, and ends where another closure's turn comes.
            if !batch.isEmpty, target?.index != batchAction?.index {
                guard await self.deliver(batch: &batch, batchAction?.action) else { return nil }
                // It may have failed for this message's key.
                guard self.admit(message) else { continue }
            }
            switch target?.action {
            case .message(let body):
                guard await self.deliver(message, body) else { return nil }
            case .batch(let maximumCount, _):
                batch.append(message)
                batchAction = target
                if batch.count >= maximumCount {
                    guard await self.deliver(batch: &batch, batchAction?.action) else { return nil }
                }
            case nil:
                self.record(message, .retry("no handler for the route"))
            }
        }
        if !batch.isEmpty {
            guard await self.deliver(batch: &batch, batchAction?.action) else { return nil }
        }
        if Task.isCancelled { return nil }
        self.dispatcher.observer.delivered(self.delivered, of: self.page)
        self.dispatcher.settle(self.run, held: self.heldCount, exceptions: self.exceptions)
        return self.held
    }

    // MARK: - Calling the handler

    /// - Returns: Whether to go on.
    private mutating func deliver(
        _ message: Message, _ body: @Sendable (Message) async throws -> Void
    ) async -> Bool {
        guard let pass = self.dispatcher.isBarred ? await self.dispatcher.pass() : .call else { return false }
        do {
            if self.dispatcher.observer.isTracing {
                try await self.dispatcher.observer.traced(message) { try await body(message) }
            } else {
                try await body(message)
            }
            self.conclude(message, .delivered, pass)
        } catch {
            if Task.isCancelled { return false }
            self.conclude(message, Outcome(thrown: error), pass)
        }
        return true
    }

    /// - Returns: Whether to go on.
    private mutating func deliver(batch: inout [Message], _ action: DestinationHandler.Action?) async -> Bool {
        guard case .batch(_, let body)? = action else { return true }
        var waiting = batch
        batch.removeAll(keepingCapacity: true)
        while !waiting.isEmpty {
            guard let pass = self.dispatcher.isBarred ? await self.dispatcher.pass() : .call else { return false }
            // One message is enough for a probe.
            let messages = pass == .probe ? Array(waiting.prefix(1)) : waiting
            waiting.removeFirst(messages.count)
            do {
                let outcomes = try await body(messages)
                guard outcomes.count == messages.count else {
                    throw DeliveryFailure.retry("the handler returned \(outcomes.count) outcomes for \(messages.count)")
                }
                for (message, outcome) in zip(messages, outcomes) { self.conclude(message, outcome, pass) }
            } catch {
                if Task.isCancelled { return false }
                for message in messages { self.conclude(message, Outcome(thrown: error), pass) }
            }
            // Those of the probe's key must not overtake it.
            var admitted: [Message] = []
            for message in waiting where self.admit(message) { admitted.append(message) }
            waiting = admitted
        }
        return true
    }

    /// Notes what became of a message, unless the destination is down and it stays as it was.
    private mutating func conclude(_ message: Message, _ outcome: Outcome, _ pass: Breaker.Pass) {
        switch self.dispatcher.judge(message, outcome, pass, isRetry: self.run.isRetry) {
        case .settle: self.record(message, outcome)
        case .hold: self.hold(message)
        }
    }

    private mutating func hold(_ message: Message) {
        self.heldCount += 1
        if !self.run.isRetry { self.dispatcher.held(1) }
        self.held.add(Int32(message.row), of: self.run.ticket, key: self.orderingKey(of: message))
    }

    private mutating func noteDelivered(_ message: Message) {
        self.delivered += 1
        if self.dispatcher.observer.isListened {
            self.dispatcher.observer.emit(
                .delivered(id: message.id, destination: message.destination, attempt: message.attempt))
        }
    }

    // MARK: - What happens to a message that is not delivered

    /// Whether the message is to be given to the handler now.
    private mutating func admit(_ message: Message) -> Bool {
        let row = message.row
        if let defect = message.defect {
            self.except(message, .dead(self.death(message, .undecodable, defect.description)))
            return false
        }
        if self.page.origin == .log, self.page.isScheduled(at: row) {
            self.except(message, .deferred(self.deferral(message, .scheduled, ordered: false)))
            return false
        }
        if !self.held.isEmpty, let key = self.orderingKey(of: message), self.held.contains(key: key) {
            self.hold(message)
            return false
        }
        switch self.page.origin {
        case .log:
            if self.isByKey, self.dispatcher.isBlocked(key: self.page.keyHash(at: row)) {
                self.except(message, .deferred(self.deferral(message, .behindKey, ordered: true)))
                return false
            }
        case .deferred:
            guard self.isByKey, let key = self.page.keyHash(at: row) else { return true }
            if self.page.isHeld(at: row) {
                self.except(message, .deferred(self.deferral(message, .behindKey, ordered: true)))
                return false
            }
            if self.run.ticket.hasFailed(key: key) {
                let isOrdered = self.page.isOrdered(at: row)
                self.except(
                    message,
                    isOrdered ? .untouched : .deferred(self.deferral(message, .behindKey, ordered: true)))
                return false
            }
        }
        return true
    }

    private mutating func record(_ message: Message, _ outcome: Outcome) {
        let attempts = self.page.attempts(at: message.row)
        let options: MessageOptions
        do throws(MessageDefect) {
            if case .delivered = outcome.kind {
                self.noteDelivered(message)
                return
            }
            options = try message.options
        } catch {
            return self.except(message, .dead(self.death(message, .undecodable, error.description, attempts + 1)))
        }
        switch outcome.kind {
        case .delivered:
            break
        case .rejected(let reason):
            self.except(message, .dead(self.death(message, .rejected, reason, attempts + 1)))
        case .unavailable(let reason):
            let delay = self.dispatcher.uncountedDelay(afterAttempts: attempts + 1, options: options)
            self.failed(message, after: delay, attempts: attempts, reason)
        case .retry(let requested, let reason):
            let decision = self.dispatcher.retryDecision(
                afterAttempts: attempts + 1, requested: requested, options: options)
            switch decision {
            case .retry(let delay):
                self.failed(message, after: delay, attempts: attempts + 1, reason)
            case .exhausted:
                self.except(message, .dead(self.death(message, .exhausted, reason, attempts + 1)))
            }
        }
    }

    private mutating func failed(_ message: Message, after delay: Duration, attempts: Int, _ reason: String) {
        let ordered = self.isByKey && self.page.keyHash(at: message.row) != nil
        // A batch can fail for several messages of one key: the first is the one that the others wait for.
        let behind =
            ordered && self.page.origin == .log
            && self.dispatcher.isBlocked(key: self.page.keyHash(at: message.row))
        self.except(
            message,
            .deferred(
                Deferral(
                    id: message.id, attempts: attempts, due: behind ? .behindKey : .after(delay), ordered: ordered,
                    error: Self.shortened(reason))))
    }

    /// Notes a verdict, and closes the key's gate where later messages have to wait.
    private mutating func except(_ message: Message, _ verdict: PageTicket.Verdict) {
        var blocked: UInt64?
        if case .deferred(let deferral) = verdict, deferral.ordered, let key = self.page.keyHash(at: message.row) {
            self.run.ticket.fail(key: key)
            if self.page.origin == .log || !self.page.isOrdered(at: message.row) {
                self.dispatcher.block(key: key)
                blocked = key
            }
        }
        self.exceptions.append(PageTicket.Exception(row: message.row, verdict: verdict, blocked: blocked))
    }

    private var isByKey: Bool { self.dispatcher.handler.ordering.isByKey }

    /// The hash of the key by which the message is ordered, if it is.
    private func orderingKey(of message: Message) -> UInt64? {
        self.isByKey ? self.page.keyHash(at: message.row) : nil
    }

    private func deferral(_ message: Message, _ due: Deferral.Due, ordered: Bool) -> Deferral {
        Deferral(
            id: message.id, attempts: self.page.attempts(at: message.row), due: due, ordered: ordered, error: nil)
    }

    private func death(_ message: Message, _ reason: Death.Reason, _ error: String, _ attempts: Int? = nil) -> Death {
        Death(
            id: message.id, attempts: attempts ?? self.page.attempts(at: message.row), reason: reason,
            error: Self.shortened(error))
    }

    /// What is kept of an error: the first 1000 characters, without NUL, which Postgres cannot store.
    private static func shortened(_ text: String) -> String {
        String(text.prefix(1000).map { $0 == "\0" ? " " : $0 })
    }
}
