import Outbox

/// A channel that the broker has closed, and what follows for the messages that were not confirmed on it.
struct ChannelFault: Error, Equatable {
    let code: Int
    let text: String

    /// What to do with the unconfirmed messages.
    enum Remedy: Equatable {
        /// All have that outcome.
        case settle(Outcome)
        /// Declare exchange and queues again, then send all of them again.
        case redeclare
        /// Send them again one by one, until the channel is closed by the one that is to blame.
        case search
    }

    /// - Parameters:
    ///   - unconfirmed: How many messages were not confirmed.
    ///   - isOverride: Whether the exchange was named by the messages, and so is theirs to answer for.
    ///   - isAddressFixed: Whether all of them were sent where every message of the destination goes.
    ///   - canRedeclare: Whether there is something to declare, and that has not been tried in vain.
    func remedy(unconfirmed: Int, isOverride: Bool, isAddressFixed: Bool, canRedeclare: Bool) -> Remedy {
        if self.isOfExchange {
            if isOverride { return .settle(.retry(self.reason)) }
            return self.code == 404 && canRedeclare ? .redeclare : .settle(.unavailable(self.reason))
        }
        if self.isOfRoutingKey, isAddressFixed { return .settle(.unavailable(self.reason)) }
        if unconfirmed > 1 { return .search }
        return .settle(self.isOfContent ? .reject(self.reason) : .retry(self.reason))
    }

    /// Whether the exchange takes none of the messages: it is not there, or the user may not write to it. Where it is the
    /// routing key that the user may not write to, others pass; only the text tells.
    var isOfExchange: Bool { self.code == 404 || (self.code == 403 && !self.isOfRoutingKey) }

    /// Whether the user may not write to the exchange with this routing key (topic permissions).
    var isOfRoutingKey: Bool { self.code == 403 && self.text.contains("access to topic") }

    /// Whether the broker never will take the message: it is too large, or a property has a value that is none.
    private var isOfContent: Bool { self.code == 406 || self.code == 311 }

    /// The broker's text, which begins with its name for the code.
    var reason: String { "\(self.code) \(self.text)" }
}
