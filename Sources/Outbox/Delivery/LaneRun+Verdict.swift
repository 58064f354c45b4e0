/// What happens to a message that is not simply delivered.
extension LaneRun {
    /// Whether the message is to be given to the handler now.
    func admit(_ message: Message) -> Bool {
        if let defect = message.defect {
            self.except(message, .dead(self.facts(of: message).death(.undecodable, defect.description)))
            return false
        }
        if self.page.origin == .log, self.page.isScheduled(at: message.row) {
            var facts = self.facts(of: message)
            // Its key's order begins when it is due.
            facts.isOrdered = false
            self.except(message, .deferred(facts.deferral(.scheduled, error: nil)))
            return false
        }
        if self.isBehindHeld(message) {
            self.hold(message)
            return false
        }
        if let verdict = self.position(of: message).verdict(self.facts(of: message)) {
            self.except(message, verdict)
            return false
        }
        if self.attempts(of: message) > 0, let verdict = self.dispatcher.policy.exhausted(self.facts(of: message)) {
            self.except(message, verdict)
            return false
        }
        return true
    }

    /// Whether an earlier message of its key is held.
    func isBehindHeld(_ message: Message) -> Bool {
        guard !self.held.isEmpty, let key = self.dispatcher.orderingKey(of: message) else { return false }
        return self.held.contains(key: key)
    }

    /// Where a message stands among those of its key.
    private func position(of message: Message) -> DeliveryPolicy.Position {
        switch self.page.origin {
        case .log:
            return .init(isBlocked: self.isBehind(message))
        case .deferred:
            guard let key = self.dispatcher.orderingKey(of: message) else { return .first }
            return .init(
                hasFailed: self.run.ticket.hasFailed(key: key), isHeld: self.page.isHeld(at: message.row),
                isOrdered: self.page.isOrdered(at: message.row))
        }
    }

    /// What its policy decides about a message by.
    func facts(of message: Message, isBehind: Bool = false) -> DeliveryPolicy.Facts {
        var facts = self.dispatcher.facts(of: message, crashes: self.run.ticket.crashes)
        facts.isBehind = isBehind
        return facts
    }

    /// It waits for its destination to be up.
    func hold(_ message: Message) {
        self.heldCount += 1
        if !self.run.isRetry { self.dispatcher.held(1) }
        self.held.add(Int32(message.row), of: self.run.ticket, key: self.dispatcher.orderingKey(of: message))
    }

    func record(_ message: Message, _ outcome: Outcome) {
        if case .delivered = outcome.kind {
            self.delivered += 1
            self.dispatcher.noteDelivered(message)
            return
        }
        if case .behind = outcome.kind, let verdict = self.position(of: message).verdict(self.facts(of: message)) {
            return self.except(message, verdict)
        }
        let verdict = self.dispatcher.verdict(
            on: self.facts(of: message, isBehind: self.isBehind(message)), outcome)
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
