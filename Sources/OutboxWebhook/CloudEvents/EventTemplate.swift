import Outbox
import OutboxRuntime

/// How the attributes of an event follow from a message.
struct EventTemplate: Sendable {
    let isStructured: Bool
    private let source: MessageTemplate
    private let type: MessageTemplate?
    private let subject: MessageTemplate?
    private let dataSchema: MessageTemplate?

    init(_ events: WebhookConfiguration.CloudEvents) throws(TransportConfigurationError) {
        self.isStructured = events.mode == .structured
        self.source = events.source
        self.type = events.type
        self.subject = events.subject
        self.dataSchema = events.dataSchema
        if self.source.constant == "" { throw TransportConfigurationError("the source of events is empty") }
        if self.type?.constant == "" { throw TransportConfigurationError("the type of events is empty") }
    }

    /// Those that have to be there, and those that the message has something for.
    func attributes(
        id: String, of message: Message
    ) throws(MessageRefusal) -> [(name: String, value: String)] {
        var attributes = [(name: "id", value: id)]
        // Source and schema are URIs: what a message has is a part of one.
        attributes.append(
            (name: "source", value: try Self.text(self.source, "source", message, encoding: PercentEncoding.encoded)))
        let type: String
        if let template = self.type {
            type = try Self.text(template, "type", message, encoding: nil)
        } else {
            type = message.route ?? message.destination.name
        }
        attributes.append((name: "type", value: type))
        if let subject = self.subject {
            attributes.append((name: "subject", value: try Self.text(subject, "subject", message, encoding: nil)))
        } else if let key = message.key {
            attributes.append((name: "subject", value: key))
        }
        attributes.append((name: "time", value: RFC3339.text(message.createdAt)))
        if let schema = self.dataSchema {
            attributes.append(
                (
                    name: "dataschema",
                    value: try Self.text(schema, "dataschema", message, encoding: PercentEncoding.encoded)
                ))
        }
        return attributes
    }

    private static func text(
        _ template: MessageTemplate, _ attribute: String, _ message: Message, encoding: ((String) -> String)?
    ) throws(MessageRefusal) -> String {
        do throws(MessageTemplate.MissingValue) {
            return try template.text(for: message, encoding: encoding)
        } catch {
            throw MessageRefusal(reason: "the event has no \(attribute): \(error)")
        }
    }
}
