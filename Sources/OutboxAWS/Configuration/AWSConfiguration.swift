public import Outbox
import OutboxHTTP

/// How transports reach AWS: where it is, who they are, and how long they wait. The same for each service.
public struct AWSConfiguration: Sendable {
    /// The region, such as `eu-central-1`. Nil: that of `AWS_REGION`, `AWS_DEFAULT_REGION`, or the profile; one of them is needed. Default nil.
    public var region: String?
    /// The service's address, `https://host:port`. Nil: that of `AWS_ENDPOINT_URL_SQS` (`…_KINESIS`, `…_SNS`, `…_EVENTBRIDGE`), of
    /// `AWS_ENDPOINT_URL`, the profile's, or the region's. Default nil.
    public var endpoint: String?
    /// Where credentials come from. Default ``AWSCredentialSource/standard``.
    public var credentials: AWSCredentialSource
    /// The profile of the shared files for credentials and region. Nil: that of `AWS_PROFILE`, or `default`. Default nil.
    public var profile: String?
    /// Connections and times.
    public var connection: Connection

    /// Creates a configuration; without arguments all is as the environment says.
    public init(
        region: String? = nil, endpoint: String? = nil, credentials: AWSCredentialSource = .standard,
        profile: String? = nil, connection: Connection = Connection()
    ) {
        self.region = region
        self.endpoint = endpoint
        self.credentials = credentials
        self.profile = profile
        self.connection = connection
    }

    /// Connections to the service. No time is longer than a day.
    public struct Connection: Sendable, Hashable {
        /// How long a connection may take, from the host's name to the end of TLS. Default 5 s.
        public var connectTimeout: Duration
        /// How long an answer may take, and a second more for each 128 KiB of a request. Default 30 s.
        public var timeout: Duration
        /// How many connections, and requests at the same time, there are at most. Default 64.
        public var maximumConnections: Int
        /// The address of a proxy; empty: none. Nil: that of `https_proxy` and `no_proxy`. Default nil.
        public var proxy: String?
        /// Whom TLS trusts. Those of a given endpoint are not used for STS. Default: the authorities of the system.
        public var tls: TLSSettings

        /// Creates limits.
        public init(
            connectTimeout: Duration = .seconds(5), timeout: Duration = .seconds(30), maximumConnections: Int = 64,
            proxy: String? = nil, tls: TLSSettings = TLSSettings()
        ) {
            self.connectTimeout = connectTimeout
            self.timeout = timeout
            self.maximumConnections = maximumConnections
            self.proxy = proxy
            self.tls = tls
        }
    }
}

extension AWSConfiguration: CustomStringConvertible {
    /// Region, endpoint and profile as parameters of an address; nothing that is secret.
    public var description: String {
        // An endpoint with a user is refused later, and may be printed before.
        let endpoint = self.endpoint.flatMap(HTTPRequest.origin)
        return [("region", self.region), ("endpoint", endpoint), ("profile", self.profile)]
            .compactMap { name, value in value.map { "\(name)=\($0)" } }
            .joined(separator: "&")
    }
}

// A proxy's address may have a password.
extension AWSConfiguration.Connection: CustomStringConvertible, CustomReflectable {
    /// The times and the number of connections.
    public var description: String {
        "connect_timeout=\(self.connectTimeout)&timeout=\(self.timeout)&connections=\(self.maximumConnections)"
    }
    /// The description, and nothing else.
    public var customMirror: Mirror { Mirror(self, children: ["description": self.description]) }
}
