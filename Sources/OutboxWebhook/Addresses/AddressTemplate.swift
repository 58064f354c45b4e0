import Outbox
import OutboxRuntime

/// The address that messages are sent to: a URL with places for what a message has.
struct AddressTemplate: Sendable {
    /// A URL, and what of it is looked at by itself.
    struct Address: Sendable, Hashable {
        let url: String
        /// In small letters.
        let host: String
        /// Scheme, host and port.
        let origin: String
        /// The URL without its query.
        let endpoint: String
    }

    private let scheme: String
    private let host: MessageTemplate
    private let hosts: [HostPattern]
    private let port: Int?
    private let path: MessageTemplate
    private let query: MessageTemplate?
    /// Where nothing comes from the message.
    private let constant: Address?
    private let constantHost: String?

    /// - Parameters:
    ///   - text: The URL.
    ///   - hosts: Which hosts may come out of a template in the place of the host; without any, there may be none.
    init(_ text: String, hosts: [String]) throws(TransportConfigurationError) {
        let parts = try AddressParts(text)
        guard parts.user == nil else {
            throw TransportConfigurationError(
                "the address has a user; user and password are “credentials”, or stand in an address with parameters")
        }
        self.scheme = parts.scheme
        // With it and without it, it is the same receiver.
        self.port = parts.port == WebhookConfiguration.ports[parts.scheme] ? nil : parts.port
        self.host = try Self.secretTemplate(parts.host, "the host")
        var patterns: [HostPattern] = []
        for host in hosts { patterns.append(try HostPattern(host)) }
        self.hosts = patterns
        self.path = try Self.template(parts.path, "the path")
        self.query = parts.query.isEmpty ? nil : try Self.template(parts.query, "the query")
        if self.host.constant == nil, patterns.isEmpty {
            throw TransportConfigurationError(
                "the host comes from the message, which can lead anywhere: name the hosts that it may be with “hosts”")
        }
        if self.host.constant != nil, !patterns.isEmpty {
            throw TransportConfigurationError("“hosts” is for a host that comes from the message")
        }
        self.constantHost = try Self.constantHost(self.host)
        if let host = self.constantHost, let path = self.path.constant,
            let query = self.query.map({ $0.constant }) ?? ""
        {
            do throws(MessageRefusal) {
                self.constant = try Self.address(self.scheme, host, self.port, path, query)
            } catch {
                throw TransportConfigurationError(error.reason)
            }
        } else {
            self.constant = nil
        }
    }

    private static func constantHost(_ template: MessageTemplate) throws(TransportConfigurationError) -> String? {
        guard let text = template.constant else { return nil }
        guard let host = HostName.normalized(text) else {
            throw TransportConfigurationError(
                "the address has no host that there can be; a name that is not ASCII is written in Punycode (xn--…)")
        }
        return host
    }

    private static func template(_ text: String, _ what: String) throws(TransportConfigurationError) -> MessageTemplate
    {
        try self.checked(try Self.secretTemplate(text, what), what)
    }

    /// A template that may have something secret in it: a token in a path or a query, a password that is taken for the host.
    private static func secretTemplate(
        _ text: String, _ what: String
    ) throws(TransportConfigurationError) -> MessageTemplate {
        guard let template = try? MessageTemplate(text) else {
            throw TransportConfigurationError(
                "\(what) is no template: a place is {destination}, {route}, {key}, {id} or {header.NAME}, and a brace is written twice"
            )
        }
        return template
    }

    private static func checked(
        _ template: MessageTemplate, _ what: String
    ) throws(TransportConfigurationError) -> MessageTemplate {
        guard template.literals.allSatisfy({ PercentEncoding.isPartOfURL($0) }) else {
            throw TransportConfigurationError("\(what) has a character that is written percent-encoded in an address")
        }
        return template
    }

    private static func address(
        _ scheme: String, _ host: String, _ port: Int?, _ path: String, _ query: String
    ) throws(MessageRefusal) -> Address {
        if PercentEncoding.leavesPath(path) {
            throw MessageRefusal(reason: "the address would have “.” or “..” as a part of its path")
        }
        let origin = "\(scheme)://\(host)\(port.map { ":\($0)" } ?? "")"
        let endpoint = origin + path
        return Address(
            url: query.isEmpty ? endpoint : "\(endpoint)?\(query)", host: host, origin: origin, endpoint: endpoint)
    }

    /// The address for a message.
    func address(for message: Message) throws(MessageRefusal) -> Address {
        if let constant { return constant }
        let host = try self.host(for: message)
        let path = try Self.text(self.path, for: message, encoding: PercentEncoding.encoded)
        var query = ""
        if let template = self.query {
            query = try Self.text(template, for: message, encoding: PercentEncoding.encoded)
        }
        return try Self.address(self.scheme, host, self.port, path, query)
    }

    private func host(for message: Message) throws(MessageRefusal) -> String {
        if let constantHost { return constantHost }
        guard let host = HostName.normalized(try Self.text(self.host, for: message, encoding: nil)) else {
            throw MessageRefusal(reason: "what the message has for the host of its address is no name of a host")
        }
        guard self.hosts.contains(where: { $0.matches(host) }) else {
            throw MessageRefusal(reason: "the host \(host) is none of those that messages may be sent to")
        }
        return host
    }

    private static func text(
        _ template: MessageTemplate, for message: Message, encoding: ((String) -> String)?
    ) throws(MessageRefusal) -> String {
        do throws(MessageTemplate.MissingValue) {
            return try template.text(for: message, encoding: encoding)
        } catch {
            throw MessageRefusal(reason: "no address: \(error)")
        }
    }

    /// Whether the host is the same for all messages of all destinations.
    var hasConstantHost: Bool { self.constantHost != nil }

    /// Whether every message of a destination goes to the same host.
    var hasOneHost: Bool { !self.host.variesWithinDestination }

    /// Whether every message of a destination goes to the same place; what differs in the query makes no other place.
    var hasOneEndpoint: Bool { self.hasOneHost && !self.path.variesWithinDestination }

    var isEncrypted: Bool { self.scheme == "https" }

    /// An address that can be asked whether something is there: the whole one where nothing of it comes from the message, else the
    /// host's root. nil: not even the host is known.
    var probe: (address: Address, isWhole: Bool)? {
        if let constant { return (constant, true) }
        guard let constantHost, let root = try? Self.address(self.scheme, constantHost, self.port, "/", "") else {
            return nil
        }
        return (root, false)
    }

    /// The address as ``shown(_:)`` leaves it.
    var description: String {
        Self.shown("\(self.scheme)://\(self.host.text)\(self.port.map { ":\($0)" } ?? "")\(self.path.text)")
    }

    /// An address as it may be printed: with the first part of its path, if that is short. Many services have a token in the path, by which
    /// anyone may post.
    static func shown(_ endpoint: String) -> String {
        guard let scheme = endpoint.firstRange(of: "://"),
            let slash = endpoint[scheme.upperBound...].firstIndex(of: "/")
        else { return endpoint }
        let path = endpoint[slash...].dropFirst().prefix { $0 != "?" }
        let first = path.prefix { $0 != "/" }
        let origin = endpoint[..<slash]
        if first.utf8.count > Self.longestShown { return "\(origin)/…" }
        return first.endIndex == path.endIndex ? "\(origin)/\(first)" : "\(origin)/\(first)/…"
    }

    /// Words are short, tokens are long.
    private static let longestShown = 15
}
