public import Outbox

/// Which event bus of Amazon EventBridge an ``EventBridgeTransport`` sends to, and what it makes of a message.
public struct EventBridgeConfiguration: Sendable {
    /// The bus of a message, by its name or its ARN. Default `default`.
    public var bus: MessageTemplate
    /// The source of an event. Default `{destination}`.
    public var source: MessageTemplate
    /// The type of its detail, at most 128 characters. Default `{route}`.
    public var detailType: MessageTemplate
    /// What its detail is. Default ``Content/payload``.
    public var content: Content
    /// How long a batch that fills no request waits for others of its destination. At most a minute; default 0.
    public var linger: Duration
    /// How AWS is reached.
    public var aws: AWSConfiguration

    /// Creates a configuration.
    public init(
        bus: MessageTemplate = "default", source: MessageTemplate = "{destination}",
        detailType: MessageTemplate = "{route}", content: Content = .payload, linger: Duration = .zero,
        aws: AWSConfiguration = AWSConfiguration()
    ) {
        self.bus = bus
        self.source = source
        self.detailType = detailType
        self.content = content
        self.linger = linger
        self.aws = aws
    }

    /// What an event's detail is. An event has no headers.
    public struct Content: Sendable, Hashable {
        let isEnvelope: Bool

        /// The payload, which has to be a JSON object; any other makes the message a dead letter.
        public static let payload = Content(isEnvelope: false)
        /// A JSON object with `id`, `enqueuedAt` (milliseconds since 1970), `route`, `key`, `headers`, and `payload`, or `payloadBase64`
        /// where the payload is no text. Route and key are left out where the message has none.
        public static let envelope = Content(isEnvelope: true)
    }
}

extension EventBridgeConfiguration: CustomStringConvertible {
    /// The bus and the region.
    public var description: String {
        let parameters = self.aws.description
        return "eventbridge://\(self.bus)\(parameters.isEmpty ? "" : "?")\(parameters)"
    }
}
