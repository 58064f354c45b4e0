public import Outbox
import OutboxRuntime

extension SQSConfiguration {
    /// The scheme of addresses. They have no port.
    package static let ports = ["sqs": 0]

    private static let parameters = [
        "queue_url", "account", "encoding", "headers", "id_attribute", "enqueued_at_attribute", "group",
        "deduplication_id", "delay", "key_order", "linger",
    ]

    /// Reads an address: `sqs://QUEUE?region=eu-central-1`. The queue is a name or a template: `sqs://orders`, `sqs://{route}.fifo`.
    ///
    /// The parameters are those of the properties: `queue_url` (a template; ends with a slash and the queue's name), `account`, `encoding` (`text`, `base64`, `envelope`), `headers`
    /// (`attributes`, `folded`, `none`), `id_attribute` and `enqueued_at_attribute` (empty: none), `group`, `deduplication_id` and `delay`
    /// (templates), `key_order` (`one_at_a_time`, `pipelined`), `linger`; and those of ``AWSConfiguration``: `region`, `endpoint`, `profile`,
    /// `credentials` (`standard`, `environment`, `profile`, `web_identity`, `container`, `instance`), `connect_timeout`, `timeout`,
    /// `connections`, `proxy`, `ca_file`, `cert_file`, `key_file`, `verify_peer`, `verify_host`. A time is `30s`, `500ms` or `2m`; a bare
    /// number is seconds.
    ///
    /// - Throws: What is wrong with it: unknown or repeated parameters, values that are none, and settings that cannot work together.
    public init(url: String) throws(TransportConfigurationError) {
        let (name, list) = try BrokerURL.target(url, scheme: "sqs", kind: "queue")
        var parameters = try AWSParameters(list, own: Self.parameters)
        self.init(queue: try MessageTemplate(name, of: "queue"))
        if let url = parameters.text("queue_url") {
            guard url.hasSuffix("/\(name)") else {
                throw TransportConfigurationError(
                    "“queue_url” ends with a slash and the queue’s name, as it stands in the address")
            }
            self.queue = try MessageTemplate(url, of: "queue_url")
        }
        self.account = parameters.text("account")
        if let encoding = try parameters.encoding() { self.content.encoding = encoding }
        if let headers = try parameters.headers() { self.content.headers = headers }
        if let text = parameters.text("id_attribute") { self.content.idAttribute = text.isEmpty ? nil : text }
        if let text = parameters.text("enqueued_at_attribute") {
            self.content.enqueuedAtAttribute = text.isEmpty ? nil : text
        }
        self.content.group = try parameters.template("group")
        self.content.deduplicationID = try parameters.template("deduplication_id")
        self.content.delay = try parameters.template("delay")
        if let order = try parameters.keyOrder() { self.keyOrder = order }
        if let time = try parameters.duration("linger") { self.linger = time }
        self.aws = try parameters.configuration()
        try self.validate()
    }

    /// Refuses what cannot be used, or does not go together.
    func validate() throws(TransportConfigurationError) {
        guard self.linger >= .zero, self.linger <= .seconds(60) else {
            throw TransportConfigurationError("SQS: “linger” is a time of up to a minute")
        }
        func require(_ condition: Bool, _ complaint: String) throws(TransportConfigurationError) {
            if !condition { throw TransportConfigurationError("SQS: \(complaint)") }
        }
        let isFIFO = self.queue.text.hasSuffix(".fifo")
        // What was typed is not repeated: a character that is missing makes something else the queue.
        if let queue = self.queue.constant {
            try require((try? SQSQueue(queue)) != nil, "that is no queue: \(SQSQueue.rule)")
        }
        try require(
            self.account.map(AWSConfiguration.isAccount) ?? true,
            "an account is twelve digits")
        let isPipelined = self.keyOrder == .pipelined
        try require(!(isFIFO && isPipelined), "a FIFO queue keeps the order of messages that are sent one at a time")
        try require(!(isFIFO && self.content.delay != nil), "a FIFO queue takes no delay of a message")
        if let delay = self.content.delay?.constant {
            try require(SQSDelay.seconds(delay) != nil, "a delay is a time of up to 15 minutes, such as 30s")
        }
        for name in [self.content.idAttribute, self.content.enqueuedAtAttribute] {
            if let name { try require(SQSAttribute.isName(name), "“\(name)” cannot be the name of an attribute") }
        }
        try require(
            self.content.headers != .folded
                || ![self.content.idAttribute, self.content.enqueuedAtAttribute].contains(SQSAttribute.folded),
            "\(SQSAttribute.folded) is the attribute of headers=folded")
        try require(
            self.content.idAttribute == nil || self.content.idAttribute != self.content.enqueuedAtAttribute,
            "id and time have attributes of different names")
    }
}
