public import Outbox

/// Which queue of Amazon SQS an ``SQSTransport`` sends to, and what it makes of a message.
public struct SQSConfiguration: Sendable {
    /// The queue of a message: its name, or its URL. A name is looked up once (`GetQueueUrl`). One that ends with `.fifo` is a FIFO queue.
    public var queue: MessageTemplate
    /// The account that the queues belong to, twelve digits. Nil: the account of the credentials. Default nil.
    public var account: String?
    /// What a message becomes.
    public var content: Content
    /// How many messages of one key may be on their way. ``/Outbox/BatchSchedule/KeyOrder/pipelined`` cannot be had with a FIFO queue, and one
    /// that a template makes is sent to one at a time. Default: one at a time.
    public var keyOrder: BatchSchedule.KeyOrder
    /// How long a batch that fills no request waits for others of its destination. At most a minute; default 0: what waits already shares requests.
    public var linger: Duration
    /// How AWS is reached.
    public var aws: AWSConfiguration

    /// Creates a configuration.
    public init(
        queue: MessageTemplate, account: String? = nil, content: Content = Content(),
        keyOrder: BatchSchedule.KeyOrder = .oneAtATime, linger: Duration = .zero,
        aws: AWSConfiguration = AWSConfiguration()
    ) {
        self.queue = queue
        self.account = account
        self.content = content
        self.keyOrder = keyOrder
        self.linger = linger
        self.aws = aws
    }

    /// What a message becomes.
    public struct Content: Sendable, Hashable {
        /// How the payload becomes the body. Default ``Encoding/text``.
        public var encoding: Encoding
        /// What becomes of headers. Default ``Headers/attributes``.
        public var headers: Headers
        /// The name of an attribute with the message's id, by which a consumer knows what came twice; nil: none. Default `outbox-id`.
        public var idAttribute: String?
        /// The name of an attribute with the time at which the transaction that enqueued the message began, in milliseconds since
        /// 1970; nil: none. Default nil.
        public var enqueuedAtAttribute: String?
        /// The group of a message. Nil: in a FIFO queue its key, or its id where it has none; in another none. Given for another, the queue is
        /// a fair one. Order is by key: a FIFO queue's groups
        /// keep it where each has messages of one key alone. A text that SQS refuses as a group is replaced by `sha256-` and its hash. Default nil.
        public var group: MessageTemplate?
        /// By what a FIFO queue knows a message that comes again within five minutes, at most 128 characters. Nil: its id and the time of
        /// its enqueueing, since another outbox has the same ids. Default nil.
        public var deduplicationID: MessageTemplate?
        /// How long a message is hidden at first, a time such as `30s` of 15 minutes at most; not in a FIFO queue. The header `sqs-delay` says
        /// it for one message, and is not delivered. Nil: what the queue says. Default nil.
        public var delay: MessageTemplate?

        /// Creates a description.
        public init(
            encoding: Encoding = .text, headers: Headers = .attributes, idAttribute: String? = "outbox-id",
            enqueuedAtAttribute: String? = nil, group: MessageTemplate? = nil, deduplicationID: MessageTemplate? = nil,
            delay: MessageTemplate? = nil
        ) {
            self.encoding = encoding
            self.headers = headers
            self.idAttribute = idAttribute
            self.enqueuedAtAttribute = enqueuedAtAttribute
            self.group = group
            self.deduplicationID = deduplicationID
            self.delay = delay
        }
    }

    /// How a payload becomes a body, which is a text.
    public struct Encoding: Sendable, Hashable {
        enum Kind: Hashable { case text, base64, envelope }
        let kind: Kind

        /// As it is. A payload that is empty, no text in UTF-8, or has characters that SQS refuses, makes the message a dead letter.
        public static let text = Encoding(kind: .text)
        /// In Base64: every payload, a third longer. An empty one makes the message a dead letter.
        public static let base64 = Encoding(kind: .base64)
        /// A JSON object with `id`, `enqueuedAt` (milliseconds since 1970), `route`, `key`, `headers`, and `payload`, or `payloadBase64` where the
        /// payload is no text. Route and key are left out where the message has none. Every message can be sent; its headers are no attributes.
        public static let envelope = Encoding(kind: .envelope)
    }

    /// What becomes of a message's headers. A message has 10 attributes at most, those of id and time among them.
    public struct Headers: Sendable, Hashable {
        enum Kind: Hashable { case attributes, folded, none }
        let kind: Kind

        /// Each is an attribute. A message with more than fit, or one that SQS refuses, is a dead letter.
        public static let attributes = Headers(kind: .attributes)
        /// Each is an attribute, as far as they fit; the rest is in one more, `outbox-headers`, as a JSON object.
        public static let folded = Headers(kind: .folded)
        /// They are not sent.
        public static let none = Headers(kind: .none)
    }
}

extension SQSConfiguration: CustomStringConvertible {
    /// The queue and the region.
    public var description: String {
        let parameters = self.aws.description
        return "sqs://\(self.queue)\(parameters.isEmpty ? "" : "?")\(parameters)"
    }
}
