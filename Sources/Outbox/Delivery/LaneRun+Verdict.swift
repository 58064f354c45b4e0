/// What happens to a message that is not simply delivered.
extension LaneRun {
    /// Whether the message is to be given to the handler now.
    func admit(_ message: Message) -> Bool {
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
    func isBehindHeld(_ message: Message) -> Bool {
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

    /// It waits for its destination to be up.
    func hold(_ message: Message) {
        self.heldCount += 1
        if !self.run.isRetry { self.dispatcher.held(1) }
        self.held.add(Int32(message.row), of: self.run.ticket, key: self.dispatcher.orderingKey(of: message))
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

    func record(_ message: Message, _ outcome: Outcome) {
        if case .delivered = outcome.kind {
            self.delivered += 1
            self.dispatcher.noteDelivered(message)
            return
        }
        if case .behind = outcome.kind, let verdict = self.verdictBehind(message) {
            return self.except(message, verdict)
        }
        let verdict = self.dispatcher.verdict(
            on: message, outcome, attempts: self.attempts(of: message), isBehind: self.isBehind(message))
        if let verdict { self.except(message, verdict) }
    }

    /// How often delivery was tried before; what ended the process is an attempt too.
    func attempts(of message: Message) -> Int {
        self.page.attempts(at: message.row) + self.run.ticket.crashes
    }

    /// Whether an earlier message of its key waits. A batch can fail for several messages of one key: the first is the one
    /// that the others wait for.
    func isBehind(_ message: Message) -> Bool {
        switch self.page.origin {
        case .log:
            return self.dispatcher.isBlocked(key: self.dispatcher.orderingKey(of: message))
        case .deferred:
            // With a time of its own it would be read before the first one, whose time may be later.
            return self.dispatcher.orderingKey(of: message).map(self.run.ticket.hasFailed(key:)) ?? false
        }
    }

    /// Notes a verdict, and closes the key's gate where later messages have to wait.
    func except(_ message: Message, _ verdict: PageTicket.Verdict) {
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
