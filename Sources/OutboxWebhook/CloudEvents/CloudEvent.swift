import Outbox
import OutboxHTTP
import OutboxRuntime

/// A message as an event of CloudEvents 1.0: its attributes, with which it is sent in binary or in structured mode.
struct CloudEvent: Sendable {
    /// All but the content's type, in the order in which they are sent; without `specversion`.
    private(set) var attributes: [(name: String, value: String)] = []
    let contentType: String

    /// - Parameters:
    ///   - id: What the message is known by.
    ///   - headers: The message's, of which those named `ce-…` are attributes, and have the last word.
    init(
        _ template: EventTemplate, id: String, contentType: String, of message: Message, headers: [String: String]
    ) throws(MessageRefusal) {
        self.contentType = contentType
        var own: [String: String] = [:]
        for (name, value) in headers {
            let name = name.lowercased()
            if name.hasPrefix(Self.prefix) { own[String(name.dropFirst(Self.prefix.count))] = value }
        }
        own["specversion"] = nil
        own["datacontenttype"] = nil
        if let name = own.keys.sorted().first(where: { !Self.isName($0) }) {
            throw MessageRefusal(
                reason: "“ce-\(Redaction.shown(name))” names no attribute of an event: those have small letters and digits"
            )
        }
        if own["data"] != nil {
            throw MessageRefusal(reason: "“ce-data” names no attribute of an event: its data is the payload")
        }
        var attributes = try template.attributes(id: id, of: message)
        for index in attributes.indices {
            if let value = own.removeValue(forKey: attributes[index].name) { attributes[index].value = value }
        }
        attributes += own.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
        // An attribute is not empty; those that have to be there are more than that.
        for required in ["id", "source", "type"]
        where attributes.contains(where: { $0.name == required && $0.value.isEmpty }) {
            throw MessageRefusal(reason: "the event’s \(required) is empty")
        }
        self.attributes = attributes.filter { !$0.value.isEmpty }
        if let time = self.attributes.first(where: { $0.name == "time" }), RFC3339.date(time.value) == nil {
            throw MessageRefusal(reason: "the event’s time (ce-time) is no time of RFC 3339")
        }
    }

    static let prefix = "ce-"

    private static func isName(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
            }
    }

    // MARK: Binary mode

    /// The attributes as headers.
    var headers: [HTTPHeader] {
        [HTTPHeader("ce-specversion", "1.0")]
            + self.attributes.map { HTTPHeader(Self.prefix + $0.name, Self.encoded($0.value)) }
    }

    /// The binding to HTTP encodes all that is not ASCII, and three characters that are.
    private static func encoded(_ value: String) -> String {
        var bytes: [UInt8] = []
        for byte in value.utf8 {
            if byte <= 0x20 || byte >= 0x7F || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "%") {
                PercentEncoding.append(byte, to: &bytes)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: Structured mode

    /// The type of a body in structured mode.
    static let structuredType = "application/cloudevents+json; charset=UTF-8"

    /// The attributes and the content as JSON.
    func body(with message: Message) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.name("specversion")
        json.string("1.0")
        for attribute in self.attributes {
            json.name(of: attribute.name)
            json.string(attribute.value)
        }
        json.name("datacontenttype")
        json.string(self.contentType)
        self.write(message.payload, to: &json)
        json.endObject()
        return json.take()
    }

    /// JSON stays JSON, text becomes a string; anything else, and what only says that it is one of them, is base64.
    private func write(_ content: [UInt8], to json: inout JSONWriter) {
        if content.isEmpty { return }
        if self.isJSON, JSONText.isValid(content) {
            json.name("data")
            json.raw(String(decoding: content, as: UTF8.self))
        } else if self.contentType.lowercased().hasPrefix("text/"),
            let text = String(validating: content, as: UTF8.self)
        {
            json.name("data")
            json.string(text)
        } else {
            json.name("data_base64")
            json.string(Base64.encoded(content))
        }
    }

    private var isJSON: Bool {
        let type = self.contentType.lowercased().prefix { $0 != ";" && $0 != " " }
        return type.hasSuffix("/json") || type.hasSuffix("+json")
    }
}
