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
    ///   - canRedeclare: Whether there is something to declare, and that has not been tried in vain.
    func remedy(unconfirmed: Int, isOverride: Bool, canRedeclare: Bool) -> Remedy {
        if self.code == 404 {
            if isOverride { return .settle(.retry(self.reason)) }
            return canRedeclare ? .redeclare : .settle(.unavailable(self.reason))
        }
        if unconfirmed > 1 { return .search }
        return .settle(self.code == 406 ? .reject(self.reason) : .retry(self.reason))
    }

    /// The broker's text, which begins with its name for the code.
    var reason: String { "\(self.code) \(self.text)" }
}
