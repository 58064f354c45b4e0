public import Outbox

/// How a transport reaches a broker, what it declares there, and how it publishes.
///
/// The short way is an address: ``init(url:)``. A transport refuses settings that cannot work together when it is created.
public struct AMQPConfiguration: Sendable {
    /// The nodes of the broker, which are tried in turn until one can be reached. Default `localhost`.
    public var hosts: [Host]
    /// With which host a round of attempts begins. Default ``HostOrder/random``.
    public var hostOrder: HostOrder
    /// The virtual host. Default `/`.
    public var virtualHost: String
    /// How the transport identifies itself. Default: user `guest` with the password `guest`, which brokers accept from their own machine only.
    public var credentials: Credentials
    /// Encryption; nil, the default: none.
    public var tls: TLSSettings?
    /// The exchange that messages are published to. Default: the broker's default exchange, where the routing key is a
    /// queue's name.
    public var exchange: Exchange
    /// Queues that are declared, and bound to the exchange, whenever a connection is made. Default none.
    public var queues: [Queue]
    /// What a message becomes at the broker.
    public var publishing: Publishing
    /// How confirmations are waited for.
    public var confirms: Confirms
    /// Limits and times of the connection.
    public var connection: Connection

    /// Creates a configuration; see the properties for the defaults.
    public init(
        hosts: [Host] = [Host("localhost")], hostOrder: HostOrder = .random, virtualHost: String = "/",
        credentials: Credentials = .password(user: "guest", password: "guest"), tls: TLSSettings? = nil,
        exchange: Exchange = .default, queues: [Queue] = [], publishing: Publishing = Publishing(),
        confirms: Confirms = Confirms(), connection: Connection = Connection()
    ) {
        self.hosts = hosts
        self.hostOrder = hostOrder
        self.virtualHost = virtualHost
        self.credentials = credentials
        self.tls = tls
        self.exchange = exchange
        self.queues = queues
        self.publishing = publishing
        self.confirms = confirms
        self.connection = connection
    }
}

extension AMQPConfiguration {
    /// A node of the broker.
    public struct Host: Sendable, Hashable, CustomStringConvertible {
        /// A name, or an address.
        package var name: String
        /// The TCP port; nil: 5672, or 5671 with TLS.
        package var port: Int?

        /// Creates a host.
        public init(_ name: String, port: Int? = nil) {
            self.name = name
            self.port = port
        }

        /// The name and, if there is one, the port.
        public var description: String {
            let name = self.name.contains(":") ? "[\(self.name)]" : self.name
            return self.port.map { "\(name):\($0)" } ?? name
        }
    }

    /// With which host a round of attempts begins.
    public struct HostOrder: Sendable, Hashable {
        let isRandom: Bool

        /// Any; the others follow in the order given. Spreads transports over the nodes of a cluster.
        public static let random = HostOrder(isRandom: true)
        /// The first.
        public static let asGiven = HostOrder(isRandom: false)
    }

    /// Publisher confirms.
    public struct Confirms: Sendable {
        /// How many messages may be on their way, published and not confirmed, on the connection. Default 2,000. What a
        /// lost connection can make arrive twice is as much as this.
        public var window: Int
        /// For how long a message may be unconfirmed before the connection is given up. Default 30 seconds.
        public var timeout: Duration
        /// How many messages of one key may be on their way. Default ``/Outbox/BatchSchedule/KeyOrder/oneAtATime``.
        public var keyOrder: BatchSchedule.KeyOrder

        /// Creates settings; see the properties for the defaults.
        public init(
            window: Int = 2000, timeout: Duration = .seconds(30), keyOrder: BatchSchedule.KeyOrder = .oneAtATime
        ) {
            self.window = window
            self.timeout = timeout
            self.keyOrder = keyOrder
        }
    }

    /// Limits and times of the connection.
    public struct Connection: Sendable {
        /// What operators read beside the connection in the broker's tools. Default `outbox`.
        public var name: String
        /// For how long an attempt to reach one host may take, and each answer while the connection is set up. Default 5 s.
        public var timeout: Duration
        /// After that time without a sign of life, twice over, either side gives the connection up; whole seconds, zero:
        /// never. Default 10 s.
        public var heartbeat: Duration
        /// The longest frame in bytes, from 4,096 to 131,072. Default 131,072. The properties of a message have to fit one.
        public var frameSize: Int
        /// The longest pause before the second attempt to reach any host; doubled with each round. The first attempt after a
        /// loss is made at once. A pause is a random time up to that. Default 100 ms.
        public var initialDelay: Duration
        /// The longest pause between two rounds of attempts. Default 5 s.
        public var maximumDelay: Duration

        /// Creates settings; see the properties for the defaults.
        public init(
            name: String = "outbox", timeout: Duration = .seconds(5), heartbeat: Duration = .seconds(10),
            frameSize: Int = 131_072, initialDelay: Duration = .milliseconds(100), maximumDelay: Duration = .seconds(5)
        ) {
            self.name = name
            self.timeout = timeout
            self.heartbeat = heartbeat
            self.frameSize = frameSize
            self.initialDelay = initialDelay
            self.maximumDelay = maximumDelay
        }
    }
}

extension AMQPConfiguration: CustomStringConvertible {
    /// Where the messages go, without credentials.
    public var description: String {
        let scheme = self.tls == nil ? "amqp" : "amqps"
        let hosts = self.hosts.map(\.description).joined(separator: ",")
        let virtualHost = self.virtualHost == "/" ? "" : "/\(self.virtualHost)"
        let exchange = self.exchange.name.isEmpty ? "" : "?exchange=\(self.exchange.name)"
        return "\(scheme)://\(hosts)\(virtualHost)\(exchange)"
    }
}
