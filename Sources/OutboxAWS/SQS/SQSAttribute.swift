import OutboxRuntime

/// An attribute of a message, a text.
struct SQSAttribute: Sendable, Hashable {
    let name: String
    let value: String

    /// What counts towards the message's size: name, type and value.
    var byteCount: Int { Self.byteCount(name: self.name.utf8.count, value: self.value.utf8.count) }

    /// The same for a name and a value of so many bytes.
    static func byteCount(name: Int, value: Int) -> Int { name + "String".utf8.count + value }

    /// How many a message has at most.
    static let maximumCount = 10
    /// The one with what did not fit.
    static let folded = "outbox-headers"

    /// Whether a text can be the name of an attribute: up to 256 letters, digits, `_`, `-` and periods, which stand neither at an end nor side by
    /// side; names that begin with `AWS.` or `Amazon.` are the service's.
    static func isName(_ text: String) -> Bool {
        let small = text.lowercased()
        return !text.isEmpty && text.utf8.count <= 256 && !small.hasPrefix("aws.") && !small.hasPrefix("amazon.")
            && text.first != "." && text.last != "." && !text.contains("..") && text.utf8.allSatisfy(self.isNameByte)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// Whether SQS takes the attribute.
    private var isValid: Bool { Self.isName(self.name) && !self.value.isEmpty && SQSText.isText(self.value) }

    /// The attributes of a message.
    ///
    /// - Parameters:
    ///   - own: Those that the transport adds. A header of the same name is not sent.
    ///   - headers: The message's headers.
    /// - Throws: Why SQS would not take them.
    static func attributes(
        _ own: [SQSAttribute], headers: [String: String], _ choice: SQSConfiguration.Headers, of service: String = "SQS"
    ) throws(MessageRefusal) -> [SQSAttribute] {
        if choice == .none || headers.isEmpty { return own }
        let all = headers.sorted { $0.key < $1.key }.map { SQSAttribute(name: $0.key, value: $0.value) }
            .filter { header in !own.contains { $0.name == header.name } }
        let valid = all.filter(\.isValid)
        if valid.count == all.count, own.count + all.count <= Self.maximumCount { return own + all }
        guard choice == .folded else {
            if let bad = all.first(where: { !$0.isValid }) {
                throw MessageRefusal(
                    "the header “\(bad.name.prefix(100))” cannot be an attribute of \(service): its name or its value is empty or has characters "
                        + "that are refused; headers=folded sends it")
            }
            throw MessageRefusal(
                "\(own.count + all.count) attributes, and \(service) takes \(Self.maximumCount); headers=folded puts the rest into one"
            )
        }
        let kept = valid.filter { $0.name != Self.folded }.prefix(Self.maximumCount - own.count - 1)
        let keptNames = Set(kept.map(\.name))
        var writer = JSONWriter()
        writer.beginObject()
        for header in all where !keptNames.contains(header.name) {
            writer.name(of: header.name)
            writer.string(header.value)
        }
        writer.endObject()
        let folded = SQSAttribute(name: Self.folded, value: String(decoding: writer.take(), as: UTF8.self))
        guard folded.isValid else {
            throw MessageRefusal("a header has characters that \(service) refuses: U+FFFE or U+FFFF")
        }
        return own + kept + [folded]
    }
}
