public import Outbox

/// Which topic of Amazon SNS an ``SNSTransport`` publishes to, and what it makes of a message.
public struct SNSConfiguration: Sendable {
    /// The topic of a message: its name, or its ARN. One that ends with `.fifo` is a FIFO topic.
    public var topic: MessageTemplate
    /// The account that topics belong to, twelve digits; needed where ``topic`` is a name. Default nil.
    public var account: String?
    /// How the payload becomes the message. Default ``SQSConfiguration/Encoding/text``.
    public var encoding: SQSConfiguration.Encoding
    /// What becomes of headers. Default ``SQSConfiguration/Headers/attributes``.
    public var headers: SQSConfiguration.Headers
    /// The name of an attribute with the message's id, by which a subscriber knows what came twice; nil: none. Default `outbox-id`.
    public var idAttribute: String?
    /// The group of a message. Nil: in a FIFO topic its key, or its id where it has none; in another none. A text that SNS refuses as a
    /// group is replaced by `sha256-` and its hash. Default nil.
    public var group: MessageTemplate?
    /// By what a FIFO topic knows a message that comes again within five minutes. Nil: its id and the time of its enqueueing. Default nil.
    public var deduplicationID: MessageTemplate?
    /// How many bytes a message has at most with its attributes, and so a request: the topic's `MaximumMessageSize`, up to 1 MiB. Default
    /// 262,144, as for topics.
    public var maximumMessageSize: Int
    /// How many messages of one key may be on their way. ``/Outbox/BatchSchedule/KeyOrder/pipelined`` cannot be had with a FIFO topic, and one
    /// that a template makes is published to one at a time. Default: one at a time.
    public var keyOrder: BatchSchedule.KeyOrder
    /// How long a batch that fills no request waits for others of its destination. At most a minute; default 0.
    public var linger: Duration
    /// How AWS is reached.
    public var aws: AWSConfiguration

    /// Creates a configuration.
    public init(
        topic: MessageTemplate, account: String? = nil, encoding: SQSConfiguration.Encoding = .text,
        headers: SQSConfiguration.Headers = .attributes, idAttribute: String? = "outbox-id",
        group: MessageTemplate? = nil, deduplicationID: MessageTemplate? = nil, maximumMessageSize: Int = 262_144,
        keyOrder: BatchSchedule.KeyOrder = .oneAtATime, linger: Duration = .zero,
        aws: AWSConfiguration = AWSConfiguration()
    ) {
        self.topic = topic
        self.account = account
        self.encoding = encoding
        self.headers = headers
        self.idAttribute = idAttribute
        self.group = group
        self.deduplicationID = deduplicationID
        self.maximumMessageSize = maximumMessageSize
        self.keyOrder = keyOrder
        self.linger = linger
        self.aws = aws
    }
}

extension SNSConfiguration: CustomStringConvertible {
    /// The topic and the region.
    public var description: String {
        let parameters = self.aws.description
        return "sns://\(self.topic)\(parameters.isEmpty ? "" : "?")\(parameters)"
    }
}
