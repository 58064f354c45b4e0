public import Outbox
import OutboxRuntime

extension SNSConfiguration {
    /// The scheme of addresses. They have no port.
    package static let ports = ["sns": 0]

    private static let parameters = [
        "topic_arn", "account", "encoding", "headers", "id_attribute", "group", "deduplication_id", "max_message_size",
        "key_order", "linger",
    ]

    /// Reads an address: `sns://TOPIC?account=123456789012&region=eu-central-1`. The topic is a name or a template.
    ///
    /// The parameters are those of the properties: `topic_arn` (a template, in place of `account`; ends with a colon and the topic's
    /// name), `account`, `encoding` (`text`, `base64`, `envelope`), `headers` (`attributes`, `folded`, `none`), `id_attribute` (empty:
    /// none), `group`, `deduplication_id` (templates), `max_message_size`, `key_order` (`one_at_a_time`, `pipelined`), `linger`; and those
    /// of ``AWSConfiguration``, as with ``SQSConfiguration/init(url:)``.
    ///
    /// - Throws: What is wrong with it: unknown or repeated parameters, values that are none, and settings that cannot work together.
    public init(url: String) throws(TransportConfigurationError) {
        let (name, list) = try BrokerURL.target(url, scheme: "sns", kind: "topic")
        var parameters = try AWSParameters(list, own: Self.parameters)
        self.init(topic: try MessageTemplate(name, of: "topic"))
        if let arn = parameters.text("topic_arn") {
            guard arn.hasPrefix("arn:"), arn.hasSuffix(":\(name)") else {
                throw TransportConfigurationError(
                    "“topic_arn” begins with arn: and ends with a colon and the topic’s name, as it stands in the address"
                )
            }
            self.topic = try MessageTemplate(arn, of: "topic_arn")
        }
        self.account = parameters.text("account")
        if let encoding = try parameters.encoding() { self.encoding = encoding }
        if let headers = try parameters.headers() { self.headers = headers }
        if let text = parameters.text("id_attribute") { self.idAttribute = text.isEmpty ? nil : text }
        self.group = try parameters.template("group")
        self.deduplicationID = try parameters.template("deduplication_id")
        if let number = try parameters.number("max_message_size", 1024...1_048_576) { self.maximumMessageSize = number }
        if let order = try parameters.keyOrder() { self.keyOrder = order }
        if let time = try parameters.duration("linger") { self.linger = time }
        self.aws = try parameters.configuration()
        try self.validate()
    }

    /// Refuses what cannot be used, or does not go together.
    func validate() throws(TransportConfigurationError) {
        func require(_ condition: Bool, _ complaint: String) throws(TransportConfigurationError) {
            if !condition { throw TransportConfigurationError("SNS: \(complaint)") }
        }
        let isARN = self.topic.text.hasPrefix("arn:")
        if let topic = self.topic.constant {
            try require(isARN || SNSEntry.isTopic(topic), "that is no topic: \(SNSEntry.rule)")
        }
        try require(
            isARN || self.account != nil, "a topic’s name needs the account that it belongs to: account=, or topic_arn="
        )
        try require(self.account.map(AWSConfiguration.isAccount) ?? true, "an account is twelve digits")
        try require(
            self.keyOrder != .pipelined || !self.topic.text.hasSuffix(".fifo"),
            "a FIFO topic keeps the order of messages that are sent one at a time")
        try require(
            (1024...1_048_576).contains(self.maximumMessageSize), "a message is at most 1,024 to 1,048,576 bytes")
        if let name = self.idAttribute {
            try require(SQSAttribute.isName(name), "“\(name)” cannot be the name of an attribute")
        }
        try require(
            self.headers != .folded || self.idAttribute != SQSAttribute.folded,
            "\(SQSAttribute.folded) is the attribute of headers=folded")
        try require(self.linger >= .zero && self.linger <= .seconds(60), "“linger” is a time of up to a minute")
    }
}
