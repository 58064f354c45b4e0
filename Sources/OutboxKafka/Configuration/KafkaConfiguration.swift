public import Outbox

/// Where a ``KafkaTransport`` finds its brokers, what it makes of a message, and how long it is patient.
///
/// What is not here is set by its name in librdkafka, in ``properties``.
public struct KafkaConfiguration: Sendable, Hashable {
    /// Brokers to begin with, each `host` or `host:port`; the others are learned from them.
    public var brokers: [String]
    /// The topic of a message; one that has nothing for a place of the template goes to dead letter. Default `{route}`.
    public var topic: MessageTemplate
    /// The key of a record. Nil: the message's key, or none where it has none. Default nil.
    public var key: MessageTemplate?
    /// How a record's partition follows from its key. Default ``Partitioner/murmur2Random``.
    public var partitioner: Partitioner
    /// What a record has besides topic, key and payload.
    public var record: Record
    /// TLS and logging in. Default: neither.
    public var security: Security
    /// How long, and with how much under way.
    public var delivery: Delivery
    /// How often figures of librdkafka become metrics; nil: never. Default nil.
    public var statisticsInterval: Duration?
    /// Properties of librdkafka by their names, which have the last word. Those that would break the guarantees are refused, and so is
    /// what ``security`` says already.
    public var properties: [String: String]

    /// Creates a configuration.
    public init(
        brokers: [String], topic: MessageTemplate = "{route}", key: MessageTemplate? = nil,
        partitioner: Partitioner = .murmur2Random, record: Record = Record(), security: Security = Security(),
        delivery: Delivery = Delivery(), statisticsInterval: Duration? = nil, properties: [String: String] = [:]
    ) {
        self.brokers = brokers
        self.topic = topic
        self.key = key
        self.partitioner = partitioner
        self.record = record
        self.security = security
        self.delivery = delivery
        self.statisticsInterval = statisticsInterval
        self.properties = properties
    }

    /// How a record's partition follows from its key.
    public struct Partitioner: Sendable, Hashable {
        package let name: String

        /// Murmur2, as the Java client has it; records without a key anywhere.
        public static let murmur2Random = Partitioner(name: "murmur2_random")
        /// CRC32, as librdkafka has it unless told otherwise; records without a key anywhere.
        public static let crc32Random = Partitioner(name: "consistent_random")
        /// FNV-1a, as Go's Sarama has it; records without a key anywhere.
        public static let fnv1aRandom = Partitioner(name: "fnv1a_random")
    }

    /// Which time a record's timestamp is, by which brokers count how long a topic keeps it.
    public struct Timestamp: Sendable, Hashable {
        enum Kind: Hashable { case produced, enqueued }
        let kind: Kind

        /// When the relay hands the record to librdkafka. A message that was scheduled, waited through an outage, is replayed or
        /// rewound is as new as any other to the topic's retention.
        public static let produced = Timestamp(kind: .produced)
        /// When the transaction that enqueued the message began, and no time in the future. A topic with a retention by time
        /// removes a message that has waited for longer than that soon after it has arrived, perhaps before a consumer has read
        /// it, and brokers with a limit (`message.timestamp.before.max.ms`) refuse it.
        public static let enqueued = Timestamp(kind: .enqueued)
    }

    /// What a record has besides topic, key and payload. Its headers are those of the message, by name, and the two named here.
    public struct Record: Sendable, Hashable {
        /// The name of a header with the message's id, by which a consumer knows what came twice; nil: none.
        /// Default `outbox-id`.
        public var idHeader: String?
        /// The name of a header with the time at which the transaction that enqueued the message began, in milliseconds since
        /// 1970; nil: none. Default `outbox-enqueued-at`.
        public var enqueuedAtHeader: String?
        /// Which time the record's timestamp is. Default ``Timestamp/produced``.
        public var timestamp: Timestamp
        /// Whether an empty payload becomes a null, which deletes the key in a compacted topic. Default false.
        public var isEmptyPayloadNull: Bool

        /// Creates a description of records.
        public init(
            idHeader: String? = "outbox-id", enqueuedAtHeader: String? = "outbox-enqueued-at",
            timestamp: Timestamp = .produced, isEmptyPayloadNull: Bool = false
        ) {
            self.idHeader = idHeader
            self.enqueuedAtHeader = enqueuedAtHeader
            self.timestamp = timestamp
            self.isEmptyPayloadNull = isEmptyPayloadNull
        }
    }

    /// The longest time that can be given.
    static let longestTime = Duration.seconds(86_400)

    /// How long a transport waits, and how much it has under way. No time is longer than a day.
    public struct Delivery: Sendable, Hashable {
        /// How long messages wait while none of their batch is confirmed. Then the producer is replaced, and they are tried
        /// again later: as `Outcome.retry` if others of the batch or meanwhile were confirmed, else as
        /// `Outcome.unavailable`. At least 1 s; default 30 s.
        public var timeout: Duration
        /// How long all brokers may be out of reach before messages are `Outcome.unavailable`; at the start too.
        /// Default 5 s.
        public var contactTimeout: Duration
        /// How long a topic may be unknown before its messages are tried again later. Brokers that create topics when
        /// they are asked for take a part of it. Default 2 s.
        public var topicTimeout: Duration
        /// How long ``KafkaTransport/close()`` waits for what is under way. Default 4 s.
        public var closeTimeout: Duration
        /// How long a record waits for others to share its request. Default 0: a batch is produced at once, and shares requests anyway.
        public var linger: Duration
        /// How many records are under way at most, over all batches. Default 20,000.
        public var maximumInFlight: Int
        /// How many bytes of payload are under way at most; not less than the largest message that may be sent
        /// (`message.max.bytes`). Default 64 MiB.
        public var maximumBytesInFlight: Int

        /// Creates limits.
        public init(
            timeout: Duration = .seconds(30), contactTimeout: Duration = .seconds(5),
            topicTimeout: Duration = .seconds(2), closeTimeout: Duration = .seconds(4),
            linger: Duration = .zero, maximumInFlight: Int = 20_000,
            maximumBytesInFlight: Int = 64 * 1024 * 1024
        ) {
            self.timeout = timeout
            self.contactTimeout = contactTimeout
            self.topicTimeout = topicTimeout
            self.closeTimeout = closeTimeout
            self.linger = linger
            self.maximumInFlight = maximumInFlight
            self.maximumBytesInFlight = maximumBytesInFlight
        }
    }
}

extension KafkaConfiguration: CustomStringConvertible {
    /// The brokers and the topic; never what is secret.
    public var description: String {
        "kafka\(self.security.tls == nil ? "" : "+ssl")://\(self.brokers.joined(separator: ","))?topic=\(self.topic)"
    }
}

// What a debugger or `dump` shows must not be a password either.
extension KafkaConfiguration: CustomReflectable {
    /// The description, and nothing else.
    public var customMirror: Mirror { Mirror(self, children: ["description": self.description]) }
}
