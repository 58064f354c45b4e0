import Outbox
import OutboxRuntime

/// The parameters of an address that are the transport's, each of which is taken once; the rest of the query is the receiver's.
struct WebhookParameters: AddressParameters {
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

    var values: [String: String] = [:]
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
            let own = String(name.dropFirst(Self.prefix.count))
            let isHeader = own.hasPrefix(Self.headerPrefix) && own.utf8.count > Self.headerPrefix.utf8.count
            try self.add(own, value, known: Self.known, isPattern: isHeader)
        }
        self.query = rest.joined(separator: "&")
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

    /// Several of a kind, with commas between them.
    mutating func list(_ name: String) -> [String]? {
        self.text(name).map { text in
            text.split { $0 == "," || $0.isWhitespace }.map(String.init)
        }
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

    mutating func rate(_ name: String) throws(TransportConfigurationError) -> Double? {
        guard let text = self.text(name) else { return nil }
        guard let number = Double(text), number > 0, number <= 1e6 else {
            throw Self.defect(of: name, "is a number of requests in a second, such as 10 or 0.5")
        }
        return number
    }
}
