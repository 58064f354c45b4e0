import OutboxRuntime

/// A text with places for what a message has: a topic, a routing key, a path.
///
/// `{destination}`, `{route}`, `{key}`, `{id}` and `{header.NAME}` stand for the message's; `{route|orders}` has something
/// for messages that have no route. Two braces in a row are one brace.
public struct MessageTemplate: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    private enum Source: Sendable, Hashable {
        case destination
        case route
        case key
        case id
        case header(String)

        init?(_ name: String) {
            switch name {
            case "destination": self = .destination
            case "route": self = .route
            case "key": self = .key
            case "id": self = .id
            default:
                guard name.hasPrefix("header."), name.utf8.count > "header.".utf8.count else { return nil }
                self = .header(String(name.dropFirst("header.".count)))
            }
        }

        func value(of message: Message) -> String? {
            switch self {
            case .destination: message.destination.name
            case .route: message.route
            case .key: message.key
            case .id: String(message.id)
            case .header(let name): message.headers[name]
            }
        }
    }

    private enum Part: Sendable, Hashable {
        case text(String)
        case value(Source, name: String, otherwise: String?)
    }

    /// The template as it was written.
    package let text: String
    private let parts: [Part]

    /// Reads a template.
    ///
    /// - Throws: A ``TransportConfigurationError`` that says what is wrong with it.
    public init(_ text: String) throws(TransportConfigurationError) {
        self.text = text
        self.parts = try Self.parse(text)
    }

    /// Reads a template; one that cannot be read is a programming error.
    public init(stringLiteral text: String) {
        do throws(TransportConfigurationError) {
            try self.init(text)
        } catch {
            preconditionFailure(error.description)
        }
    }

    /// The template as it was written.
    public var description: String { self.text }

    /// The text, where it is the same for every message.
    package var constant: String? {
        switch self.parts.count {
        case 0: ""
        case 1: if case .text(let text) = self.parts[0] { text } else { nil }
        default: nil
        }
    }

    /// What of it stands between the places.
    package var literals: [String] {
        self.parts.compactMap { part in if case .text(let text) = part { text } else { nil } }
    }

    /// Whether two messages of one destination can have different texts.
    package var variesWithinDestination: Bool {
        self.parts.contains { part in
            if case .value(let source, _, _) = part { source != .destination } else { false }
        }
    }

    /// The text for a message.
    ///
    /// - Parameter encoding: What is made of the message's values, where the text is one in which some characters have a meaning.
    /// - Throws: ``MissingValue`` if the message has nothing for one of the places.
    package func text(
        for message: Message, encoding: ((String) -> String)? = nil
    ) throws(MissingValue) -> String {
        if let constant { return constant }
        var text = ""
        for part in self.parts {
            switch part {
            case .text(let part): text += part
            case .value(let source, let name, let otherwise):
                guard let value = source.value(of: message) ?? otherwise else { throw MissingValue(name: name) }
                text += encoding?(value) ?? value
            }
        }
        return text
    }

    /// A message has nothing for a place in a template.
    package struct MissingValue: Error, Sendable, Hashable, CustomStringConvertible {
        /// What stands between the braces.
        package let name: String

        /// What the message lacks.
        package var description: String { "the message has no \(self.name)" }
    }

    private static func parse(_ text: String) throws(TransportConfigurationError) -> [Part] {
        var parts: [Part] = []
        var literal = ""
        // By scalar: a combining mark behind a brace makes one character of the two.
        var rest = text.unicodeScalars[...]
        while let character = rest.popFirst() {
            switch character {
            case "{" where rest.first == "{", "}" where rest.first == "}":
                rest.removeFirst()
                literal.unicodeScalars.append(character)
            case "{":
                guard let end = rest.firstIndex(of: "}") else {
                    throw TransportConfigurationError("“\(text)”: a brace is not closed")
                }
                if !literal.isEmpty { parts.append(.text(literal)) }
                literal = ""
                parts.append(try self.place(rest[..<end], in: text))
                rest = rest[rest.index(after: end)...]
            case "}":
                throw TransportConfigurationError("“\(text)”: a brace is closed that was not opened; }} is one brace")
            default:
                literal.unicodeScalars.append(character)
            }
        }
        if !literal.isEmpty { parts.append(.text(literal)) }
        return parts
    }

    private static func place(
        _ place: Substring.UnicodeScalarView, in text: String
    ) throws(TransportConfigurationError) -> Part {
        let halves = place.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
        guard let source = Source(halves[0]) else {
            let hint = NearestName.suggestion(
                for: halves[0], among: ["destination", "route", "key", "id", "header.NAME"])
            throw TransportConfigurationError("“\(text)”: a message has no “\(halves[0])”; \(hint)")
        }
        return .value(source, name: halves[0], otherwise: halves.count == 2 ? halves[1] : nil)
    }
}
