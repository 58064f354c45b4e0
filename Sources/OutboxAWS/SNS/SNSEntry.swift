import Outbox

/// A message as SNS takes it.
struct SNSEntry: ServiceEntry, Hashable {
    /// The topic's ARN.
    let target: String
    let body: String
    let attributes: [SQSAttribute]
    let group: String?
    let deduplicationID: String?
    /// By which its result is found.
    let messageID: Int64

    var isFIFO: Bool { self.target.hasSuffix(".fifo") }
    var byteCount: Int { self.attributes.reduce(self.body.utf8.count) { $0 + $1.byteCount } }

    /// - Throws: Why SNS would never take it.
    init(_ message: Message, _ configuration: SNSConfiguration, region: String) throws(MessageRefusal) {
        let topic = try configuration.topic.part(of: message, "topic")
        self.messageID = message.id
        self.target = try Self.arn(of: topic, configuration.account, region: region)
        let isFIFO = topic.hasSuffix(".fifo")
        self.body = try SQSEntry.body(of: message, configuration.encoding, for: "SNS")
        var own: [SQSAttribute] = []
        if let name = configuration.idAttribute { own.append(SQSAttribute(name: name, value: String(message.id))) }
        self.attributes = try SQSAttribute.attributes(
            own, headers: message.headers, configuration.encoding == .envelope ? .none : configuration.headers,
            of: "SNS")
        self.group = try SQSEntry.group(of: message, isFIFO: isFIFO, configuration.group)
        self.deduplicationID =
            isFIFO ? try SQSEntry.deduplicationID(of: message, configuration.deduplicationID) : nil
        let count = self.byteCount
        guard count <= configuration.maximumMessageSize else {
            throw MessageRefusal(
                "\(count) bytes with its attributes, and the topic takes \(configuration.maximumMessageSize)")
        }
    }

    /// The ARN of a topic.
    static func arn(of topic: String, _ account: String?, region: String) throws(MessageRefusal) -> String {
        if topic.hasPrefix("arn:") { return topic }
        guard let account, self.isTopic(topic) else {
            throw MessageRefusal("“\(topic.prefix(100))” is no topic: \(self.rule)", isOfTarget: true)
        }
        return "arn:\(ServiceEndpoint.partition(of: region)):sns:\(region):\(account):\(topic)"
    }

    /// What a name is.
    static let rule = "a name is 1 to 256 letters, digits, hyphens and underscores, and may end with .fifo"

    /// Whether a text can be the name of a topic.
    static func isTopic(_ name: String) -> Bool {
        let stem = name.hasSuffix(".fifo") ? name.dropLast(".fifo".count) : name[...]
        return !stem.isEmpty && name.utf8.count <= 256 && stem.utf8.allSatisfy(SQSQueue.isNameByte)
    }
}
