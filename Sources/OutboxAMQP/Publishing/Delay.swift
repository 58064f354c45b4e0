/// Whether an exchange keeps a message until its time has come.
///
/// One of the plugin `rabbitmq_delayed_message_exchange` does so with a message that has the header `x-delay`. It tells the broker that
/// no queue takes the message for now, so the broker returns it as unroutable, and confirms it. Sent again, it would arrive once more
/// each time.
enum Delay: Hashable {
    case none
    /// The exchange is not declared here, so its type is not known. A return has to be taken for one of such an exchange: the header
    /// means nothing to any other.
    case possible
    case certain

    init(_ publication: Publication, _ exchange: AMQPConfiguration.Exchange) {
        guard let text = publication.headers["x-delay"], let milliseconds = Int64(text), milliseconds > 0 else {
            self = .none
            return
        }
        if let own = publication.exchange {
            self = own.isEmpty ? .none : .possible
        } else if exchange.delaysMessages {
            self = .certain
        } else {
            self = exchange.declaration == nil && !exchange.name.isEmpty ? .possible : .none
        }
    }
}
