public import Outbox

extension AMQPConfiguration {
    /// What a message becomes at the broker. Its own headers can override some of it, see <doc:OutboxAMQP#Per-message>.
    public struct Publishing: Sendable {
        /// The routing key. Default `{route|}`: the route, or nothing.
        public var routingKey: MessageTemplate
        /// What becomes of a message that no queue has taken. Default ``Unroutable/retried``.
        public var unroutable: Unroutable
        /// Whether messages outlive a restart of the broker, in queues that do. Default true.
        public var isPersistent: Bool
        /// The property `message-id`. Default `{id}`: the message's number in the outbox, the same each time it is delivered.
        /// It must contain `{id}`, because returned messages are recognised by it.
        public var messageID: MessageTemplate
        /// The property `content-type`; nil, the default: none.
        public var contentType: String?
        /// The property `type`; nil, the default: none.
        public var type: MessageTemplate?
        /// The property `app-id`; nil, the default: none.
        public var applicationID: String?
        /// The property `priority`, 0 to 255; nil, the default: none.
        public var priority: UInt8?
        /// After which time the broker drops a message that no consumer has taken from a queue; nil, the default: never.
        public var expiration: Duration?
        /// The most bytes that a payload may have; one that has more is rejected without asking the broker. Default 128 MiB,
        /// as `max_message_size` of RabbitMQ 3.8 to 3.13; from 4.0 on that is 16 MiB.
        public var maximumMessageSize: Int

        /// Creates settings; see the properties for the defaults.
        public init(
            routingKey: MessageTemplate = "{route|}", unroutable: Unroutable = .retried, isPersistent: Bool = true,
            messageID: MessageTemplate = "{id}", contentType: String? = nil, type: MessageTemplate? = nil,
            applicationID: String? = nil, priority: UInt8? = nil, expiration: Duration? = nil,
            maximumMessageSize: Int = 128 * 1024 * 1024
        ) {
            self.routingKey = routingKey
            self.unroutable = unroutable
            self.isPersistent = isPersistent
            self.messageID = messageID
            self.contentType = contentType
            self.type = type
            self.applicationID = applicationID
            self.priority = priority
            self.expiration = expiration
            self.maximumMessageSize = maximumMessageSize
        }
    }

    /// What becomes of a message that no queue has taken.
    public struct Unroutable: Sendable, Hashable {
        enum Kind { case retried, rejected, dropped }
        let kind: Kind

        /// It is tried again, unless the exchange delays it (header `x-delay`). Where every message of the destination goes to the same place, that no queue is bound there is an
        /// outage, which counts no attempt; where the routing key comes from the message, it is an attempt.
        public static let retried = Unroutable(kind: .retried)
        /// It becomes a dead letter at once.
        public static let rejected = Unroutable(kind: .rejected)
        /// It counts as delivered (`mandatory` is off): for exchanges that need no consumer.
        public static let dropped = Unroutable(kind: .dropped)
    }
}
