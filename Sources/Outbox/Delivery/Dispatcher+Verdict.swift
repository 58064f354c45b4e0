extension Dispatcher {
    /// What an outcome means for a message.
    ///
    /// - Parameters:
    ///   - attempts: How often delivery was tried before.
    ///   - isBehind: Whether an earlier message of its key waits already.
    /// - Returns: nil: the message is delivered.
    func verdict(
        on message: Message, _ outcome: Outcome, attempts: Int, isBehind: @autoclosure () -> Bool = false
    ) -> PageTicket.Verdict? {
        if case .delivered = outcome.kind { return nil }
        let options: MessageOptions
        do throws(MessageDefect) {
            options = try message.options
        } catch {
            return .dead(self.death(message, .undecodable, error.description, attempts: attempts + 1))
        }
        switch outcome.kind {
        case .delivered:
            return nil
        case .rejected(let reason):
            return .dead(self.death(message, .rejected, reason, attempts: attempts + 1))
        case .behind:
            let delay = self.uncountedDelay(afterAttempts: attempts + 1, options: options)
            return .deferred(
                self.deferral(message, isBehind() ? .behindKey : .after(delay), attempts: attempts, error: nil))
        case .unavailable(let reason):
            let delay = self.uncountedDelay(afterAttempts: attempts + 1, options: options)
            return .deferred(
                self.deferral(message, isBehind() ? .behindKey : .after(delay), attempts: attempts, error: reason))
        case .postponed(let delay, let reason):
            return .deferred(
                self.deferral(message, isBehind() ? .behindKey : .after(delay), attempts: attempts, error: reason))
        case .retry(let requested, let reason):
            switch self.retryDecision(afterAttempts: attempts + 1, requested: requested, options: options) {
            case .retry(let delay):
                return .deferred(
                    self.deferral(
                        message, isBehind() ? .behindKey : .after(delay), attempts: attempts + 1, error: reason))
            case .exhausted:
                return .dead(self.death(message, .exhausted, reason, attempts: attempts + 1))
            }
        }
    }

    /// Whether so many attempts are all that a message has.
    func isExhausted(_ message: Message, attempts: Int) -> Bool {
        if attempts == 0 { return false }
        let maximum = (try? message.options)?.maximumAttempts ?? self.handler.retry.maximumAttempts
        return attempts >= maximum
    }

    /// A message of which later ones of its key wait, if it has one and order matters.
    func deferral(_ message: Message, _ due: Deferral.Due, attempts: Int, error: String?) -> Deferral {
        Deferral(
            id: message.id, attempts: attempts, due: due, ordered: self.orderingKey(of: message) != nil,
            error: error.map(Self.shortened))
    }

    func death(_ message: Message, _ reason: Death.Reason, _ error: String?, attempts: Int) -> Death {
        Death(id: message.id, attempts: attempts, reason: reason, error: error.map(Self.shortened))
    }

    /// The hash of the key by which the message is ordered, if it is.
    func orderingKey(of message: Message) -> UInt64? {
        self.handler.ordering.isByKey ? message.page.keyHash(at: message.row) : nil
    }

    /// What is kept of an error: the first 1000 characters, without NUL, which Postgres cannot store.
    private static func shortened(_ text: String) -> String {
        String(text.prefix(1000).map { $0 == "\0" ? " " : $0 })
    }
}
