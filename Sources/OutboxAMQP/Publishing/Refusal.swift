import Outbox

/// What a broker says of a single message that it does not take, while the connection and the channel go on.
enum Refusal: Hashable {
    /// `basic.nack`.
    case nacked
    /// `basic.return`, with the broker's code and text.
    case returned(String)

    /// What went wrong, for operators.
    var reason: String {
        switch self {
        case .nacked: "refused by the broker (basic.nack): a queue is full (x-overflow=reject-publish), or has failed"
        case .returned(let reason): "unroutable: \(reason)"
        }
    }

    /// What becomes of the message.
    ///
    /// - Parameters:
    ///   - isAddressFixed: Whether every message of the destination goes where this one was to go.
    ///   - unroutable: What the configuration says of messages that no queue has taken.
    func outcome(isAddressFixed: Bool, unroutable: AMQPConfiguration.Unroutable) -> Outcome {
        if case .returned = self, unroutable.kind == .rejected { return .reject(self.reason) }
        return isAddressFixed ? .unavailable(self.reason) : .retry(self.reason)
    }
}
