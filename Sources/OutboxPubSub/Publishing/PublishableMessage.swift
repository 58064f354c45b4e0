import Outbox
import OutboxHTTP

/// A message as it is published: bytes, and what decides with which others it shares a request.
struct PublishableMessage {
    /// What all messages of a request have in common.
    struct Target: Hashable {
        let topic: String
        /// Not empty; nil: the service keeps no order.
        let orderingKey: String?
    }

    let target: Target
    /// Field 2 of a `PublishRequest`, with its tag.
    let bytes: [UInt8]
}

/// Why a message can never be published.
struct Refusal: Error {
    let reason: String
}

/// How a message becomes one of Pub/Sub's.
struct PublishTemplate {
    private let topic: MessageTemplate
    private let constantTopic: String?
    private let ordering: PubSubConfiguration.Ordering
    private let attributes: PubSubConfiguration.Attributes
    private let largestMessage: Int

    /// - Parameter configuration: One that has no defect.
    init(_ configuration: PubSubConfiguration) {
        self.topic = configuration.topic
        self.constantTopic = configuration.topic.constant
        self.ordering = configuration.ordering
        self.attributes = configuration.attributes
        // A request has the topic besides.
        self.largestMessage =
            configuration.delivery.bytesPerRequest
            - ProtobufWriter.size(
                field: 1, length: ResourceName.topic("", project: configuration.project).utf8.count + 255)
    }

    /// Whether messages of one destination can have different topics.
    var topicVaries: Bool { self.topic.variesWithinDestination }

    func message(_ message: Message) throws(Refusal) -> PublishableMessage {
        let topic = try self.topic(of: message)
        let key = try self.orderingKey(of: message)
        let bytes = try self.bytes(of: message, orderingKey: key)
        return PublishableMessage(target: .init(topic: topic, orderingKey: key), bytes: bytes)
    }

    private func topic(of message: Message) throws(Refusal) -> String {
        if let constantTopic { return constantTopic }
        let name: String
        do throws(MessageTemplate.MissingValue) {
            name = try self.topic.text(for: message)
        } catch {
            throw Refusal(reason: "no topic: \(error)")
        }
        if let defect = ResourceName.defect(ofTopic: name) { throw Refusal(reason: defect) }
        return name
    }

    private func orderingKey(of message: Message) throws(Refusal) -> String? {
        let key: String?
        switch self.ordering.kind {
        case .none: return nil
        case .key: key = message.key
        case .template(let template):
            do throws(MessageTemplate.MissingValue) {
                key = try template.text(for: message)
            } catch {
                throw Refusal(reason: "no ordering key: \(error)")
            }
        }
        guard let key, !key.isEmpty else { return nil }
        if key.utf8.count <= ServiceLimits.orderingKeyBytes { return key }
        return Hexadecimal.encoded(Digest.sha256(Array(key.utf8)))
    }

    private func bytes(of message: Message, orderingKey: String?) throws(Refusal) -> [UInt8] {
        let attributes = try self.attributes(of: message)
        let size = unsafe message.withPayload { payload in payload.count }
        try Self.check(size, hasAttributes: !attributes.isEmpty)
        var content = ProtobufWriter(capacity: size + 64 * (attributes.count + 1))
        unsafe message.withPayload { payload in unsafe content.bytes(1, payload) }
        for (name, value) in attributes {
            var entry = ProtobufWriter()
            entry.string(always: 1, name)
            entry.string(always: 2, value)
            content.message(2, entry)
        }
        if let orderingKey { content.string(5, orderingKey) }
        var field = ProtobufWriter(capacity: content.bytes.count + 8)
        field.message(2, content)
        guard field.bytes.count <= self.largestMessage else {
            throw Refusal(
                reason:
                    "the message has \(field.bytes.count) bytes with its attributes; a request takes \(self.largestMessage)"
            )
        }
        return field.bytes
    }

    private static func check(_ payload: Int, hasAttributes: Bool) throws(Refusal) {
        if payload > ServiceLimits.dataBytes {
            throw Refusal(reason: "the payload has \(payload) bytes; the service takes \(ServiceLimits.dataBytes)")
        }
        if payload == 0, !hasAttributes {
            throw Refusal(reason: "the message has neither a payload nor an attribute, which the service refuses")
        }
    }

    /// The headers, and what the configuration adds, which has the last word.
    private func attributes(of message: Message) throws(Refusal) -> [String: String] {
        var attributes = message.headers
        for (name, value) in attributes {
            if let defect = AttributeRules.defect(ofName: name) ?? AttributeRules.defect(ofValue: value, of: name) {
                throw Refusal(reason: defect)
            }
        }
        if let name = self.attributes.id { attributes[name] = String(message.id) }
        if let name = self.attributes.enqueuedAt { attributes[name] = EnqueueTime.milliseconds(of: message) }
        if let name = self.attributes.route, let route = message.route {
            if let defect = AttributeRules.defect(ofValue: route, of: name) { throw Refusal(reason: defect) }
            attributes[name] = route
        }
        guard attributes.count <= ServiceLimits.attributes else {
            throw Refusal(
                reason:
                    "the message has \(attributes.count) attributes, with those that say its id and route; the service takes"
                    + " \(ServiceLimits.attributes)")
        }
        return attributes
    }
}
