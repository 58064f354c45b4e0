import Outbox
import OutboxHTTP

/// A message as it is published: what decides with which others it shares a request, and where its bytes are.
struct PublishableMessage {
    /// What all messages of a request have in common.
    struct Target: Hashable {
        let topic: String
        /// Not empty; nil: the service keeps no order.
        let orderingKey: String?
    }

    let target: Target
    /// Field 2 of a `PublishRequest`, with its tag: the place in what was written.
    let bytes: Range<Int>
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
    /// How most messages are written; nil: by no short way.
    let plain: PlainPublishing?

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
        self.plain =
            if case .none = configuration.ordering.kind, let topic = configuration.topic.constant {
                PlainPublishing(topic: topic, configuration.attributes, largestMessage: self.largestMessage)
            } else {
                nil
            }
    }

    /// Whether messages of one destination can have different topics.
    var topicVaries: Bool { self.topic.variesWithinDestination }

    /// Writes a message behind those before it; nothing of one that is refused.
    func write(_ message: Message, to writer: inout ProtobufWriter) throws(Refusal) -> PublishableMessage {
        let topic = try self.topic(of: message)
        let key = try self.orderingKey(of: message)
        let start = writer.bytes.count
        try self.write(message, orderingKey: key, to: &writer)
        return PublishableMessage(
            target: .init(topic: topic, orderingKey: key), bytes: start..<writer.bytes.count)
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

    private func write(
        _ message: Message, orderingKey: String?, to writer: inout ProtobufWriter
    ) throws(Refusal) {
        let attributes = try self.attributes(of: message)
        let payload = unsafe message.withPayload { payload in payload.count }
        try Self.check(payload, hasAttributes: !attributes.isEmpty)
        var size = payload == 0 ? 0 : ProtobufWriter.size(field: 1, length: payload)
        for attribute in attributes { size += ProtobufWriter.size(field: 2, length: attribute.size) }
        if let orderingKey { size += ProtobufWriter.size(field: 5, length: orderingKey.utf8.count) }
        let whole = ProtobufWriter.size(field: 2, length: size)
        guard whole <= self.largestMessage else {
            throw Refusal(
                reason: "the message has \(whole) bytes with its attributes; a request takes \(self.largestMessage)")
        }
        writer.head(2, length: size)
        unsafe message.withPayload { payload in unsafe writer.bytes(1, payload) }
        for attribute in attributes {
            writer.head(2, length: attribute.size)
            writer.string(always: 1, attribute.name)
            writer.string(always: 2, attribute.value)
        }
        if let orderingKey { writer.string(5, orderingKey) }
    }

    private static func check(_ payload: Int, hasAttributes: Bool) throws(Refusal) {
        if payload > ServiceLimits.dataBytes {
            throw Refusal(reason: "the payload has \(payload) bytes; the service takes \(ServiceLimits.dataBytes)")
        }
        if payload == 0, !hasAttributes {
            throw Refusal(reason: "the message has neither a payload nor an attribute, which the service refuses")
        }
    }

    /// A name and a value.
    private struct Attribute {
        let name: String
        let value: String

        /// How many bytes it has as an entry of a map.
        var size: Int {
            ProtobufWriter.size(field: 1, length: self.name.utf8.count)
                + ProtobufWriter.size(field: 2, length: self.value.utf8.count)
        }
    }

    /// The headers, and what the configuration adds, which has the last word.
    private func attributes(of message: Message) throws(Refusal) -> [Attribute] {
        let own = try self.ownAttributes(of: message)
        let headers = message.headers
        if headers.isEmpty { return own }
        var attributes = own
        for (name, value) in headers {
            if let defect = AttributeRules.defect(ofName: name) ?? AttributeRules.defect(ofValue: value, of: name) {
                throw Refusal(reason: defect)
            }
            if !own.contains(where: { $0.name == name }) { attributes.append(Attribute(name: name, value: value)) }
        }
        guard attributes.count <= ServiceLimits.attributes else {
            throw Refusal(
                reason:
                    "the message has \(attributes.count) attributes, with those that say its id and route; the service takes"
                    + " \(ServiceLimits.attributes)")
        }
        return attributes
    }

    /// What the configuration adds.
    private func ownAttributes(of message: Message) throws(Refusal) -> [Attribute] {
        var attributes: [Attribute] = []
        func add(_ name: String, _ value: String) {
            attributes.removeAll { $0.name == name }
            attributes.append(Attribute(name: name, value: value))
        }
        if let name = self.attributes.id { add(name, String(message.id)) }
        if let name = self.attributes.enqueuedAt { add(name, EnqueueTime.milliseconds(of: message)) }
        if let name = self.attributes.route, let route = message.route {
            if let defect = AttributeRules.defect(ofValue: route, of: name) { throw Refusal(reason: defect) }
            add(name, route)
        }
        return attributes
    }
}
