import Logging
import Tracing

/// Delivers the rows that one lane has of one page, one after the other.
struct LaneRun: ~Copyable {
    private let dispatcher: Dispatcher
    private let run: Dispatcher.Run
    private let page: any MessagePage
    private var exceptions: [PageTicket.Exception] = []
    private var delivered = 0

    init(_ dispatcher: Dispatcher, _ run: Dispatcher.Run) {
        self.dispatcher = dispatcher
        self.run = run
        self.page = run.ticket.page
    }

    /// Calls the handler for each row and settles the run. When the task is cancelled the rest is left unsettled: the
    /// page will be read again.
    consuming func deliver() async {
        var batch: [Message] = []
        var batchAction: (index: Int, action: DestinationHandler.Action)?
        let handler = self.dispatcher.handler
        let single = handler.routes.isEmpty ? handler.action(for: nil) : nil

        for index in self.run.rows {
            if Task.isCancelled { return }
            let row = Int(self.run.ticket.rows[index])
            let message = Message(page: self.page, row: row)
            guard self.admit(message) else { continue }
            let target = single ?? handler.action(for: message.route)
            // A batch is of one closure's messages, and ends where another closure's turn comes.
            if !batch.isEmpty, target?.index != batchAction?.index {
                await self.deliver(batch: &batch, batchAction?.action)
                // It may have failed for this message's key.
                guard self.admit(message) else { continue }
            }
            switch target?.action {
            case .message(let body):
                await self.deliver(message, body)
            case .batch(let maximumCount, _):
                batch.append(message)
                batchAction = target
                if batch.count >= maximumCount { await self.deliver(batch: &batch, batchAction?.action) }
            case nil:
                self.record(message, .retry("no handler for the route"))
            }
        }
        if !batch.isEmpty { await self.deliver(batch: &batch, batchAction?.action) }
        if Task.isCancelled { return }
        self.dispatcher.observer.delivered(self.delivered, of: self.page)
        self.dispatcher.settle(self.run, exceptions: self.exceptions)
    }

    // MARK: - Calling the handler

    private mutating func deliver(
        _ message: Message, _ body: @Sendable (Message) async throws -> Void
    ) async {
        do {
            if self.dispatcher.observer.isTracing {
                try await self.dispatcher.observer.traced(message) { try await body(message) }
            } else {
                try await body(message)
            }
            self.noteDelivered(message)
        } catch {
            if Task.isCancelled { return }
            self.record(message, Outcome(thrown: error))
        }
    }

    private mutating func deliver(batch: inout [Message], _ action: DestinationHandler.Action?) async {
        guard case .batch(_, let body)? = action else { return }
        let messages = batch
        batch.removeAll(keepingCapacity: true)
        do {
            let outcomes = try await body(messages)
            guard outcomes.count == messages.count else {
                throw DeliveryFailure.retry("the handler returned \(outcomes.count) outcomes for \(messages.count)")
            }
            for (message, outcome) in zip(messages, outcomes) { self.record(message, outcome) }
        } catch {
            if Task.isCancelled { return }
            for message in messages { self.record(message, Outcome(thrown: error)) }
        }
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
        switch self.page.origin {
        case .log:
            if self.page.isScheduled(at: row) {
                self.except(message, .deferred(self.deferral(message, .scheduled, ordered: false)))
                return false
            }
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
