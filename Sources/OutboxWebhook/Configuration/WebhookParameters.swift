import Outbox
import OutboxRuntime

/// The parameters of an address that are the transport's, each of which is taken once; the rest of the query is the receiver's.
struct WebhookParameters {
    /// What their names begin with, so that they are never taken for the receiver's.
    static let prefix = "outbox."

    static let known =
        [
            "allow", "concurrency", "connect_timeout", "content_type", "events", "failures", "gone", "header_prefix",
            "headers", "hosts", "id", "idempotency_header", "initial_pause", "key_order", "max_message_size",
            "maximum_pause", "maximum_retry_after", "method", "proxy", "rate", "schema", "secret", "secret_file",
            "source",
            "subject", "timeout", "token", "type",
        ] + TLSSettings.Parameter.names

    /// What the name of a header of every request begins with: `header.X-Tenant`.
    private static let headerPrefix = "header."

    private var values: [String: String] = [:]
    /// What the receiver gets, as it was written.
    private(set) var query = ""

    init(query: String) throws(TransportConfigurationError) {
        var rest: [String] = []
        for item in Self.items(of: query) {
            let halves = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentEncoding.decoded(halves[0])?.lowercased(), name.hasPrefix("outbox") else {
                rest.append(item)
                continue
            }
            // A secret behind a name that is nearly one of these must not go to the receiver.
            guard name.hasPrefix(Self.prefix) else {
                throw TransportConfigurationError("a parameter of the transport begins with \(Self.prefix)")
            }
            guard halves.count == 2, let value = PercentEncoding.decoded(halves[1]) else {
                throw TransportConfigurationError(
                    "a parameter of the transport is \(Self.prefix)NAME=VALUE, percent-encoded in UTF-8")
            }
            try self.add(String(name.dropFirst(Self.prefix.count)), value)
        }
        self.query = rest.joined(separator: "&")
    }

    private mutating func add(_ name: String, _ value: String) throws(TransportConfigurationError) {
        let isHeader = name.hasPrefix(Self.headerPrefix) && name.utf8.count > Self.headerPrefix.utf8.count
        guard isHeader || Self.known.contains(name) else {
            guard let (name, nearest) = Redaction.misspelling(name, of: Self.known) else {
                let names = Self.known.joined(separator: ", ")
                throw TransportConfigurationError(
                    "there is a parameter \(Self.prefix)… that is not known; known are \(names)")
            }
            throw TransportConfigurationError(
                "there is no parameter “\(Self.prefix)\(name)”; did you mean “\(Self.prefix)\(nearest)”?")
        }
        guard self.values.updateValue(value, forKey: name) == nil else {
            throw TransportConfigurationError("the parameter “\(Self.prefix)\(Redaction.shown(name))” is given twice")
        }
    }

    /// The parts between ampersands, but for those within the braces of a template.
    private static func items(of query: String) -> [String] {
        var items: [String] = []
        var item = ""
        var depth = 0
        for character in query {
            if character == "{" { depth += 1 }
            if character == "}" { depth -= 1 }
            if character == "&", depth == 0 {
                items.append(item)
                item = ""
            } else {
                item.append(character)
            }
        }
        items.append(item)
        return items.filter { !$0.isEmpty }
    }

    // MARK: Values

    mutating func text(_ name: String) -> String? { self.values.removeValue(forKey: name) }

    /// Several of a kind, with commas between them.
    mutating func list(_ name: String) -> [String]? {
        self.text(name).map { text in
            text.split { $0 == "," || $0.isWhitespace }.map(String.init)
        }
    }

    mutating func template(_ name: String) throws(TransportConfigurationError) -> MessageTemplate? {
        guard let text = self.text(name) else { return nil }
        return try MessageTemplate(text, of: Self.prefix + name)
    }

    /// The headers of every request.
    mutating func headers() throws(TransportConfigurationError) -> [String: MessageTemplate] {
        var headers: [String: MessageTemplate] = [:]
        for (name, value) in self.values where name.hasPrefix(Self.headerPrefix) {
            self.values[name] = nil
            do throws(TransportConfigurationError) {
                headers[String(name.dropFirst(Self.headerPrefix.count))] = try MessageTemplate(value)
            } catch {
                // Its value can be a secret.
                throw TransportConfigurationError(
                    "a header of every request is a template: a place is {destination}, {route}, {key}, {id} or"
                        + " {header.NAME}, and a brace is written twice")
            }
        }
        return headers
    }

    mutating func choice<Value>(
        _ name: String, _ choices: [String: Value]
    ) throws(TransportConfigurationError) -> Value? {
        guard let text = self.text(name) else { return nil }
        guard let value = choices[text] else {
            let names = choices.keys.sorted().joined(separator: ", ")
            throw TransportConfigurationError("the parameter “\(Self.prefix)\(name)” is one of \(names)")
        }
        return value
    }

    mutating func number(_ name: String, _ range: ClosedRange<Int>) throws(TransportConfigurationError) -> Int? {
        guard let text = self.text(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw TransportConfigurationError(
                "the parameter “\(Self.prefix)\(name)” is a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }

    mutating func rate(_ name: String) throws(TransportConfigurationError) -> Double? {
        guard let text = self.text(name) else { return nil }
        guard let number = Double(text), number > 0, number <= 1e6 else {
            throw TransportConfigurationError(
                "the parameter “\(Self.prefix)\(name)” is a number of requests in a second, such as 10 or 0.5")
        }
        return number
    }

    mutating func duration(_ name: String) throws(TransportConfigurationError) -> Duration? {
        guard let text = self.text(name) else { return nil }
        guard let duration = try? DurationText.duration(text) else {
            throw TransportConfigurationError(
                "the parameter “\(Self.prefix)\(name)” is a time such as 30s, 500ms or 2m")
        }
        return duration
    }
}
