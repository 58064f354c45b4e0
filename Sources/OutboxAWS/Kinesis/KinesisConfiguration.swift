public import Outbox

/// Which stream of Amazon Kinesis a ``KinesisTransport`` writes to, and what it makes of a message.
public struct KinesisConfiguration: Sendable {
    /// The stream of a message, by its name.
    public var stream: MessageTemplate
    /// The partition key, which decides which shard a record goes to. Nil: the message's key, or its id where it has none. One that is empty
    /// or longer than 256 characters is replaced by `sha256-` and its hash. Default nil.
    public var partitionKey: MessageTemplate?
    /// The number, up to 2 to the power of 128, that decides in place of the partition key. Nil: none. Default nil.
    public var explicitHashKey: MessageTemplate?
    /// What a record's data are. Default ``Content/payload``.
    public var content: Content
    /// How long a batch that fills no request waits for others of its destination. At most a minute; default 0: what waits already shares requests.
    public var linger: Duration
    /// How AWS is reached.
    public var aws: AWSConfiguration

    /// Creates a configuration.
    public init(
        stream: MessageTemplate, partitionKey: MessageTemplate? = nil, explicitHashKey: MessageTemplate? = nil,
        content: Content = .payload, linger: Duration = .zero, aws: AWSConfiguration = AWSConfiguration()
    ) {
        self.stream = stream
        self.partitionKey = partitionKey
        self.explicitHashKey = explicitHashKey
        self.content = content
        self.linger = linger
        self.aws = aws
    }

    /// What a record's data are. A record has no headers.
    public struct Content: Sendable, Hashable {
        let isEnvelope: Bool

        /// The payload as it is. The message's id and its headers are not sent.
        public static let payload = Content(isEnvelope: false)
        /// A JSON object with `id`, `enqueuedAt` (milliseconds since 1970), `route`, `key`, `headers`, and `payload`, or `payloadBase64` where
        /// the payload is no text in UTF-8. Route and key are left out where the message has none.
        public static let envelope = Content(isEnvelope: true)
    }
}

extension KinesisConfiguration: CustomStringConvertible {
    /// The stream and the region.
    public var description: String {
        let parameters = self.aws.description
        return "kinesis://\(self.stream)\(parameters.isEmpty ? "" : "?")\(parameters)"
    }
}
