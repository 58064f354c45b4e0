public import Outbox
import OutboxRuntime

extension KafkaConfiguration {
    /// The schemes of addresses, and the ports of hosts that name none.
    package static let ports = ["kafka": 9092, "kafka+ssl": 9093, "kafkas": 9093]

    /// Reads an address:
    /// `kafka://user:password@host1:9092,host2:9092?topic=events&key={key}&linger.ms=5`.
    ///
    /// `kafka+ssl://` and `kafkas://` are with TLS. A user logs in with SASL, by the mechanism PLAIN unless `sasl.mechanism`
    /// is given. The topic can stand in the path as well: `kafka://host/events`. Parameters are `topic`, `key` (templates, see
    /// `MessageTemplate`), `id-header`, `enqueued-at-header` (empty: none), `timestamp` (`produced`, `enqueued`), `timeout`,
    /// `contact-timeout`, `topic-timeout` (times such as `30s`, `500ms` or `2m`; a bare number is seconds),
    /// with TLS `ca_file`, `cert_file`, `key_file`, `verify_peer` and `verify_host`, and every property of librdkafka. The port is 9092, with TLS 9093, where none is given.
    ///
    /// - Throws: A `TransportConfigurationError` that repeats nothing that could be a password.
    public init(url: String) throws(TransportConfigurationError) {
        let address = url
        let url: BrokerURL
        do throws(InvalidText) {
            url = try BrokerURL(address, ports: Self.ports)
        } catch {
            throw TransportConfigurationError(error)
        }
        self.init(brokers: url.hosts.map(\.description))
        if url.scheme != "kafka" { self.security.tls = TLSSettings() }
        if let path = url.path, !path.isEmpty { self.topic = try MessageTemplate(path, of: "topic") }
        var given: Set<String> = []
        for parameter in url.parameters {
            guard given.insert(parameter.name).inserted else {
                throw TransportConfigurationError(
                    "“\(Redaction.shown(parameter.name))” is given twice")
            }
            try self.set(parameter.name, to: parameter.value)
        }
        if given.contains("topic"), let path = url.path, !path.isEmpty {
            throw TransportConfigurationError("the topic is given twice, as the path and as “topic”")
        }
        if let user = url.user { try self.logIn(user: user, password: url.password) }
    }

    private mutating func set(_ name: String, to value: String) throws(TransportConfigurationError) {
        switch name {
        case "topic": self.topic = try MessageTemplate(value, of: name)
        case "key": self.key = try MessageTemplate(value, of: name)
        case "id-header": self.record.idHeader = value.isEmpty ? nil : value
        case "enqueued-at-header": self.record.enqueuedAtHeader = value.isEmpty ? nil : value
        case "timestamp": self.record.timestamp = try Self.timestamp(value)
        case "timeout": self.delivery.timeout = try Self.duration(value, name)
        case "contact-timeout": self.delivery.contactTimeout = try Self.duration(value, name)
        case "topic-timeout": self.delivery.topicTimeout = try Self.duration(value, name)
        default:
            guard let parameter = TLSSettings.Parameter(rawValue: name) else {
                self.properties[name] = value
                return
            }
            guard var tls = self.security.tls else { throw TLSSettings.needsTLS(name, scheme: "kafkas") }
            try tls.set(parameter, to: value)
            self.security.tls = tls
        }
    }

    /// The parameters that are no properties of librdkafka, but for those that are too short to be told from something else.
    static let parameters =
        ["topic", "id-header", "enqueued-at-header", "timestamp", "timeout", "contact-timeout", "topic-timeout"]
        + TLSSettings.Parameter.names

    private static func timestamp(_ text: String) throws(TransportConfigurationError) -> Timestamp {
        switch text {
        case "produced": return .produced
        case "enqueued": return .enqueued
        default: throw TransportConfigurationError("“timestamp” is one of enqueued, produced")
        }
    }

    private static func duration(_ text: String, _ name: String) throws(TransportConfigurationError) -> Duration {
        guard let duration = try? DurationText.duration(text), duration > .zero, duration <= Self.longestTime else {
            throw TransportConfigurationError("“\(name)” is a time such as 30s, 500ms or 2m, up to a day")
        }
        return duration
    }

    private mutating func logIn(user: String, password: String?) throws(TransportConfigurationError) {
        guard let password else { throw TransportConfigurationError("a user’s name is given without a password") }
        let mechanism =
            self.properties.removeValue(forKey: "sasl.mechanism")
            ?? self.properties.removeValue(forKey: "sasl.mechanisms") ?? "PLAIN"
        switch mechanism {
        case "PLAIN": self.security.sasl = .plain(user: user, password: password)
        case "SCRAM-SHA-256": self.security.sasl = .scramSHA256(user: user, password: password)
        case "SCRAM-SHA-512": self.security.sasl = .scramSHA512(user: user, password: password)
        default:
            throw TransportConfigurationError(
                "with a user and a password, sasl.mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
        }
    }
}
