/// What a message's policy is told of it.
extension Dispatcher {
    /// - Parameter crashes: How often the process has ended while it delivered this message alone.
    func facts(of message: Message, crashes: Int) -> DeliveryPolicy.Facts {
        var facts = DeliveryPolicy.Facts(id: message.id, attempts: message.page.attempts(at: message.row) + crashes)
        facts.crashes = crashes
        facts.isOrdered = self.orderingKey(of: message) != nil
        do throws(MessageDefect) {
            facts.options = .success(try message.options)
        } catch {
            facts.options = .failure(error)
        }
        return facts
    }

    /// What an outcome means for a message; nil: it is delivered.
    func verdict(on facts: DeliveryPolicy.Facts, _ outcome: Outcome) -> PageTicket.Verdict? {
        var random = self.random
        return self.policy.verdict(on: facts, outcome, random: &random)
    }

    /// The hash of the key by which the message is ordered, if it is.
    func orderingKey(of message: Message) -> UInt64? {
        self.handler.settings.ordering.isByKey ? message.page.keyHash(at: message.row) : nil
    }
}
