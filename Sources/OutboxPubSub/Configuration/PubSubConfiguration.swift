public import Outbox

/// Which topic a ``PubSubTransport`` publishes to, what it makes of a message, and how it shows who it is.
public struct PubSubConfiguration: Sendable {
    /// The project that has the topics, by its id.
    public var project: String
    /// The topic of a message, without the project; one that has nothing for a place of the template goes to dead letter.
    /// Default `{route}`.
    public var topic: MessageTemplate
    /// Which messages the service keeps in order for subscriptions that ask for it. Default ``Ordering/byKey``.
    public var ordering: Ordering
    /// What a message has besides its payload and headers.
    public var attributes: Attributes
    /// Where the service is: a host, perhaps with a port, such as `us-east1-pubsub.googleapis.com`; with `http://` before it, one
    /// without TLS, which is shown no credentials. Nil: the emulator that the environment variable `PUBSUB_EMULATOR_HOST` names, if
    /// it is set, else `pubsub.googleapis.com`. Default nil.
    public var endpoint: String?
    /// How the transport shows who it is; not used without TLS. Default ``PubSubCredentials/applicationDefault``.
    public var credentials: PubSubCredentials
    /// Whose certificates are trusted. Default: those that the system trusts.
    public var tls: TLSSettings
    /// The address of a proxy; nil: that of the environment variable `https_proxy`, if it is set. Default nil.
    public var proxy: String?
    /// How long, and with how much under way.
    public var delivery: Delivery

    /// Creates a configuration.
    public init(
        project: String, topic: MessageTemplate = "{route}", ordering: Ordering = .byKey,
        attributes: Attributes = Attributes(), endpoint: String? = nil,
        credentials: PubSubCredentials = .applicationDefault, tls: TLSSettings = TLSSettings(), proxy: String? = nil,
        delivery: Delivery = Delivery()
    ) {
        self.project = project
        self.topic = topic
        self.ordering = ordering
        self.attributes = attributes
        self.endpoint = endpoint
        self.credentials = credentials
        self.tls = tls
        self.proxy = proxy
        self.delivery = delivery
    }

    /// Where a message's ordering key comes from.
    public struct Ordering: Sendable, Hashable {
        enum Kind: Hashable { case key, template(MessageTemplate), none }
        let kind: Kind

        /// The message's key; none where it has none. One that is longer than 1,024 bytes, which the service does not take, is
        /// replaced by its SHA-256 in hexadecimal digits.
        public static let byKey = Ordering(kind: .key)
        /// A template, shortened as a key is. Messages of one key of the outbox should have one ordering key.
        public static func by(_ template: MessageTemplate) -> Ordering { Ordering(kind: .template(template)) }
        /// No message has an ordering key. Requests are larger, since all messages of a request have one ordering key; messages
        /// of a key are still published one after the other, and the service delivers them in any order.
        public static let none = Ordering(kind: .none)
    }

    /// The names of attributes that say what the payload and the headers do not; each can be left out.
    public struct Attributes: Sendable, Hashable {
        /// The attribute with the message's id, by which a subscriber knows what came twice; nil: none. Default `outbox-id`.
        public var id: String?
        /// The attribute with the route, of messages that have one; nil: none. Default `outbox-route`.
        public var route: String?
        /// The attribute with the time at which the transaction that enqueued the message began, in milliseconds since 1970;
        /// nil: none. Default `outbox-enqueued-at`.
        public var enqueuedAt: String?

        /// Creates a list of names.
        public init(
            id: String? = "outbox-id", route: String? = "outbox-route", enqueuedAt: String? = "outbox-enqueued-at"
        ) {
            self.id = id
            self.route = route
            self.enqueuedAt = enqueuedAt
        }

        var names: [String] { [self.id, self.route, self.enqueuedAt].compactMap { $0 } }
    }

    /// How long a transport waits, and how much it has under way.
    public struct Delivery: Sendable, Hashable {
        /// How long a request may take; a service that takes longer is unavailable. Up to a day; default 30 s.
        public var timeout: Duration
        /// How long connecting may take, TLS included. Up to a day; default 5 s.
        public var connectTimeout: Duration
        /// How many messages a request has at most. Default 1,000, which is the service's limit.
        public var messagesPerRequest: Int
        /// How many bytes a request has at most. A message that is longer goes to dead letter. Default 10,000,000, which is the
        /// service's limit.
        public var bytesPerRequest: Int
        /// How many requests are under way at most, over all batches. Default 100.
        public var requestsInFlight: Int

        /// Creates limits.
        public init(
            timeout: Duration = .seconds(30), connectTimeout: Duration = .seconds(5), messagesPerRequest: Int = 1000,
            bytesPerRequest: Int = 10_000_000, requestsInFlight: Int = 100
        ) {
            self.timeout = timeout
            self.connectTimeout = connectTimeout
            self.messagesPerRequest = messagesPerRequest
            self.bytesPerRequest = bytesPerRequest
            self.requestsInFlight = requestsInFlight
        }
    }
}

extension PubSubConfiguration: CustomStringConvertible, CustomReflectable {
    /// The project and the topic.
    public var description: String { "pubsub://\(self.project)/\(self.topic)" }
    /// The description, and nothing else: a debugger shows no secret either.
    public var customMirror: Mirror { Mirror(self, children: ["description": self.description]) }
}
