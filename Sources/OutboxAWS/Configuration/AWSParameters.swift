import Outbox
import OutboxRuntime

/// The parameters of an address, each of which is taken once.
struct AWSParameters: AddressParameters {
    /// Those that every service has.
    private static let common =
        [
            "region", "endpoint", "profile", "credentials", "connect_timeout", "timeout", "connections", "proxy",
        ] + TLSSettings.Parameter.names

    var values: [String: String] = [:]

    /// - Parameter own: The names of the service's own.
    init(_ parameters: [BrokerURL.Parameter], own: [String]) throws(TransportConfigurationError) {
        let known = own + Self.common
        for parameter in parameters { try self.add(parameter.name, parameter.value, known: known) }
    }

    mutating func encoding() throws(TransportConfigurationError) -> SQSConfiguration.Encoding? {
        try self.choice("encoding", ["text": .text, "base64": .base64, "envelope": .envelope])
    }

    mutating func headers() throws(TransportConfigurationError) -> SQSConfiguration.Headers? {
        try self.choice("headers", ["attributes": .attributes, "folded": .folded, "none": .none])
    }

    mutating func keyOrder() throws(TransportConfigurationError) -> BatchSchedule.KeyOrder? {
        try self.choice("key_order", ["one_at_a_time": .oneAtATime, "pipelined": .pipelined])
    }

    /// Takes what every service has.
    mutating func configuration() throws(TransportConfigurationError) -> AWSConfiguration {
        var configuration = AWSConfiguration(
            region: self.text("region"), endpoint: self.text("endpoint"), profile: self.text("profile"))
        let sources: [String: AWSCredentialSource] = [
            "standard": .standard, "environment": .environment, "profile": .profile(), "web_identity": .webIdentity,
            "container": .container, "instance": .instanceMetadata,
        ]
        if let source = try self.choice("credentials", sources) { configuration.credentials = source }
        if let time = try self.duration("connect_timeout") { configuration.connection.connectTimeout = time }
        if let time = try self.duration("timeout") { configuration.connection.timeout = time }
        if let number = try self.number("connections", 1...10_000) {
            configuration.connection.maximumConnections = number
        }
        if let text = self.text("proxy") { configuration.connection.proxy = text }
        for parameter in TLSSettings.Parameter.allCases {
            if let text = self.text(parameter.rawValue) { try configuration.connection.tls.set(parameter, to: text) }
        }
        return configuration
    }
}

extension BrokerURL {
    /// Reads the address of a queue or a stream, which stands where others have a host.
    ///
    /// - Parameter kind: What it is the address of.
    static func target(
        _ text: String, scheme: String, kind: String
    ) throws(TransportConfigurationError) -> (name: String, parameters: [Parameter]) {
        let url: BrokerURL
        do throws(InvalidText) {
            url = try BrokerURL(text, ports: [scheme: 0])
        } catch {
            throw TransportConfigurationError(error)
        }
        if url.user != nil {
            throw TransportConfigurationError(
                "an address of \(kind) has no user and no password: credentials come from the environment, a profile or a role"
            )
        }
        guard url.hosts.count == 1, url.hosts[0].port == 0, url.path?.isEmpty ?? true else {
            throw TransportConfigurationError(
                "an address is \(scheme)://NAME?region=…, with the name of one \(kind) alone")
        }
        return (url.hosts[0].name, url.parameters)
    }
}
