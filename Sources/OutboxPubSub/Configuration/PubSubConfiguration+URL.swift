public import Outbox
import OutboxRuntime

extension PubSubConfiguration {
    /// The scheme of addresses. Its hosts are projects, so the port means nothing.
    package static let ports = ["pubsub": 443]

    private enum Parameter: String, CaseIterable {
        case topic
        case orderingKey = "ordering_key"
        case idAttribute = "id_attribute"
        case routeAttribute = "route_attribute"
        case enqueuedAtAttribute = "enqueued_at_attribute"
        case endpoint
        case credentials
        case token
        case proxy
        case timeout
        case connectTimeout = "connect_timeout"
        case messagesPerRequest = "messages_per_request"
        case requestsInFlight = "requests_in_flight"
    }

    /// Reads an address: `pubsub://PROJECT/TOPIC?endpoint=us-east1-pubsub.googleapis.com`.
    ///
    /// The topic is a template (see `MessageTemplate`), and can be given as `topic` as well; without one it is `{route}`. Parameters
    /// are `ordering_key` (a template; empty: none), `id_attribute`, `route_attribute`, `enqueued_at_attribute` (empty: none),
    /// `endpoint`, `credentials` (`default`, `metadata`, `none`, or the path of a file), `token` (`self-signed`, `exchanged`),
    /// `proxy`, `timeout`, `connect_timeout` (times such as `30s` or `500ms`; a bare number is seconds), `messages_per_request`,
    /// `requests_in_flight`, and those of TLS: `ca_file`, `cert_file`, `key_file`, `verify_peer` and `verify_host`.
    ///
    /// - Throws: A `TransportConfigurationError` that repeats nothing that could be a secret.
    public init(url: String) throws(TransportConfigurationError) {
        let address: BrokerURL
        do throws(InvalidText) {
            address = try BrokerURL(url, ports: Self.ports)
        } catch {
            throw TransportConfigurationError(error)
        }
        guard address.hosts.count == 1, address.hosts[0].port == 443, address.user == nil else {
            throw TransportConfigurationError(
                "an address of Pub/Sub is pubsub://PROJECT/TOPIC; a colon in a project’s id is written %3A, and credentials are"
                    + " no part of it")
        }
        self.init(project: address.hosts[0].name)
        if let path = address.path, !path.isEmpty { self.topic = try MessageTemplate(path, of: "topic") }
        var given: Set<String> = []
        for parameter in address.parameters {
            guard given.insert(parameter.name).inserted else {
                throw TransportConfigurationError("“\(Redaction.shown(parameter.name))” is given twice")
            }
            try self.set(parameter.name, to: parameter.value)
        }
        if given.contains("topic"), let path = address.path, !path.isEmpty {
            throw TransportConfigurationError("the topic is given twice, as the path and as “topic”")
        }
    }

    private mutating func set(_ name: String, to value: String) throws(TransportConfigurationError) {
        guard let parameter = Parameter(rawValue: name) else {
            guard let parameter = TLSSettings.Parameter(rawValue: name) else { throw Self.unknown(name) }
            return try self.tls.set(parameter, to: value)
        }
        switch parameter {
        case .topic: self.topic = try MessageTemplate(value, of: name)
        case .orderingKey: self.ordering = value.isEmpty ? .none : .by(try MessageTemplate(value, of: name))
        case .idAttribute: self.attributes.id = value.isEmpty ? nil : value
        case .routeAttribute: self.attributes.route = value.isEmpty ? nil : value
        case .enqueuedAtAttribute: self.attributes.enqueuedAt = value.isEmpty ? nil : value
        case .endpoint: self.endpoint = value
        case .credentials: self.credentials.kind = Self.credentials(value)
        case .token: self.credentials.exchangesTokens = try Self.exchangesTokens(value)
        case .proxy: self.proxy = value
        case .timeout: self.delivery.timeout = try Self.duration(value, name)
        case .connectTimeout: self.delivery.connectTimeout = try Self.duration(value, name)
        case .messagesPerRequest: self.delivery.messagesPerRequest = try Self.number(value, name)
        case .requestsInFlight: self.delivery.requestsInFlight = try Self.number(value, name)
        }
    }

    private static func unknown(_ name: String) -> TransportConfigurationError {
        let names = Parameter.allCases.map(\.rawValue) + TLSSettings.Parameter.names
        guard let (name, nearest) = Redaction.misspelling(name, of: names) else {
            return TransportConfigurationError(
                "a parameter is not known; known are \(names.sorted().joined(separator: ", "))")
        }
        return TransportConfigurationError("there is no parameter “\(name)”; did you mean “\(nearest)”?")
    }

    private static func credentials(_ text: String) -> PubSubCredentials.Kind {
        switch text {
        case "default": .applicationDefault
        case "metadata": .metadataServer
        case "none": .none
        default: .file(text)
        }
    }

    private static func exchangesTokens(_ text: String) throws(TransportConfigurationError) -> Bool {
        switch text {
        case "self-signed": return false
        case "exchanged": return true
        default: throw TransportConfigurationError("“token” is one of exchanged, self-signed")
        }
    }

    private static func duration(_ text: String, _ name: String) throws(TransportConfigurationError) -> Duration {
        guard let duration = try? DurationText.duration(text) else {
            throw TransportConfigurationError("“\(name)” is a time such as 30s, 500ms or 2m, up to a day")
        }
        return duration
    }

    private static func number(_ text: String, _ name: String) throws(TransportConfigurationError) -> Int {
        guard let number = Int(text) else { throw TransportConfigurationError("“\(name)” is a number") }
        return number
    }
}
