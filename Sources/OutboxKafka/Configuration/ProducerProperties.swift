import Outbox
import OutboxRuntime

/// The properties that a producer of librdkafka is made with: what a configuration says, and what the guarantees need.
struct ProducerProperties: Sendable {
    /// In the order in which they are set; a later one overrides.
    private(set) var values: [(name: String, value: String)] = []

    /// - Throws: A `TransportConfigurationError` for what contradicts itself or the guarantees.
    init(_ configuration: KafkaConfiguration) throws(TransportConfigurationError) {
        try Self.check(configuration)
        self.values = [
            // Without these, what is confirmed is not safe, or a message that failed is passed by a later one of its key.
            ("enable.idempotence", "true"), ("acks", "all"), ("enable.gapless.guarantee", "true"),
            // Nothing is given up message by message, which would let later ones pass: patience is the transport's.
            ("message.timeout.ms", "0"),
            // Why a connection was closed is said in the log only, such as that a client's certificate is demanded.
            ("log.queue", "true"), ("log.connection.close", "true"),
            ("client.id", "swift-outbox"),
            // Once a broker is back, it is found soon.
            ("reconnect.backoff.ms", "50"), ("reconnect.backoff.max.ms", "1000"),
            ("socket.keepalive.enable", "true"),
        ]
        let delivery = configuration.delivery
        self.add("linger.ms", "\(delivery.linger.seconds * 1000)")
        self.add("queue.buffering.max.messages", delivery.maximumInFlight)
        self.add("queue.buffering.max.kbytes", max(1, delivery.maximumBytesInFlight / 1024))
        self.add("topic.metadata.propagation.max.ms", Int(delivery.topicTimeout.seconds * 1000))
        self.add("partitioner", configuration.partitioner.name)
        if let interval = configuration.statisticsInterval {
            self.add("statistics.interval.ms", Int(interval.seconds * 1000))
        }
        self.add(configuration.security)
        let security = Self.properties(of: configuration.security)
        for (name, value) in configuration.properties.sorted(by: { $0.key < $1.key }) {
            if let twin = security.first(where: { $0.name == Self.aliases[name] ?? name }) {
                throw TransportConfigurationError("“\(name)” is given twice, by its name and as \(twin.spelling)")
            }
            if let reason = Self.reason(against: name, value) ?? Self.reason(against: name, value, delivery)
                ?? Self.reason(against: name, value, configuration.security)
            {
                throw TransportConfigurationError("“\(name)” cannot be set like that: \(reason)")
            }
            self.values.append((name, value))
        }
        if let defect = configuration.security.tls?.fileDefect { throw TransportConfigurationError(defect) }
        for (name, value) in self.values where configuration.properties[name] != nil && Self.files.contains(name) {
            // Of the certificates alone librdkafka finds some place by itself, if it is asked to.
            if value == "probe", name == "ssl.ca.location" { continue }
            if let defect = ReadableFile.defect(of: value) {
                throw TransportConfigurationError("“\(name)”: \(defect)")
            }
        }
    }

    /// The properties that name a file, or a folder.
    private static let files: Set = [
        "ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.keystore.location", "ssl.crl.location",
    ]

    private mutating func add(_ name: String, _ value: some CustomStringConvertible) {
        self.values.append((name, "\(value)"))
    }

    private mutating func add(_ security: KafkaConfiguration.Security) {
        switch (security.tls, security.sasl) {
        case (nil, nil): break
        case (nil, .some): self.add("security.protocol", "sasl_plaintext")
        case (.some, nil): self.add("security.protocol", "ssl")
        case (.some, .some): self.add("security.protocol", "sasl_ssl")
        }
        // Unset, librdkafka 2.0 looks at no name.
        if let tls = security.tls, tls.verifiesHost == nil { self.add(Self.hostVerification, "https") }
        for property in Self.properties(of: security) { self.add(property.name, property.value) }
    }

    /// Names that librdkafka takes for others.
    private static let aliases = ["sasl.mechanism": "sasl.mechanisms"]

    private static let hostVerification = "ssl.endpoint.identification.algorithm"

    /// What is given of TLS and the login, as properties of librdkafka, and how it is spelled elsewhere.
    private static func properties(
        of security: KafkaConfiguration.Security
    ) -> [(name: String, value: String, spelling: String)] {
        var properties: [(name: String, value: String, spelling: String)] = []
        if let sasl = security.sasl {
            properties += [
                (name: "sasl.mechanisms", value: sasl.mechanism, spelling: "the login’s mechanism"),
                (name: "sasl.username", value: sasl.user, spelling: "the login’s user"),
                (name: "sasl.password", value: sasl.password, spelling: "the login’s password"),
            ]
        }
        return properties + (security.tls.map(Self.properties(of:)) ?? [])
    }

    /// What is given of TLS, as properties of librdkafka, and how it is spelled elsewhere.
    private static func properties(of tls: TLSSettings) -> [(name: String, value: String, spelling: String)] {
        var properties = TLSSettings.Parameter.allCases.compactMap { parameter in
            tls.value(of: parameter).map { value in
                let (name, value) =
                    switch parameter {
                    case .caFile: ("ssl.ca.location", value)
                    case .certificateFile: ("ssl.certificate.location", value)
                    case .keyFile: ("ssl.key.location", value)
                    case .verifiesPeer: ("enable.ssl.certificate.verification", value)
                    case .verifiesHost: (Self.hostVerification, tls.verifiesHost == false ? "none" : "https")
                    }
                return (name: name, value: value, spelling: "“\(parameter.rawValue)”")
            }
        }
        if let password = tls.keyPassword {
            properties.append((name: "ssl.key.password", value: password, spelling: "the key’s password"))
        }
        return properties
    }

    private static func check(_ configuration: KafkaConfiguration) throws(TransportConfigurationError) {
        let delivery = configuration.delivery
        if configuration.brokers.isEmpty { throw TransportConfigurationError("there is no broker") }
        if configuration.brokers.contains(where: { $0.isEmpty || $0.contains(",") }) {
            throw TransportConfigurationError("a broker is HOST or HOST:PORT")
        }
        if configuration.topic.text.isEmpty { throw TransportConfigurationError("the topic is empty") }
        if delivery.timeout < .seconds(1) { throw TransportConfigurationError("the timeout is at least 1 s") }
        if delivery.contactTimeout <= .zero { throw TransportConfigurationError("the contact timeout is more than 0") }
        if delivery.topicTimeout <= .zero { throw TransportConfigurationError("the topic timeout is more than 0") }
        let times = [
            ("timeout", delivery.timeout), ("contact timeout", delivery.contactTimeout),
            ("topic timeout", delivery.topicTimeout), ("close timeout", delivery.closeTimeout),
            ("interval of statistics", configuration.statisticsInterval ?? .zero),
        ]
        for (name, time) in times where time > KafkaConfiguration.longestTime {
            throw TransportConfigurationError("the \(name) is at most a day")
        }
        if delivery.linger < .zero || delivery.linger >= delivery.timeout {
            throw TransportConfigurationError("lingering takes no less than 0, and less than the timeout")
        }
        if !(1...10_000_000).contains(delivery.maximumInFlight) {
            throw TransportConfigurationError("in flight are 1 to 10,000,000 records at most")
        }
        let largest = configuration.properties["message.max.bytes"].flatMap { Int($0) } ?? 1_000_000
        if delivery.maximumBytesInFlight < largest, configuration.properties["queue.buffering.max.kbytes"] == nil {
            throw TransportConfigurationError(
                "in flight are \(delivery.maximumBytesInFlight) bytes at most, less than a single message may have"
                    + " (message.max.bytes, \(largest))")
        }
        if let defect = configuration.security.tls?.defect { throw TransportConfigurationError(defect) }
        if let interval = configuration.statisticsInterval, interval < .milliseconds(1) {
            throw TransportConfigurationError("statistics come at intervals of at least 1 ms")
        }
    }

    /// Why a property cannot have that value here; nil: it can.
    private static func reason(against name: String, _ value: String) -> String? {
        switch name {
        case "acks", "request.required.acks":
            ["all", "-1"].contains(value) ? nil : "a message is delivered when all in-sync replicas have it (all)"
        case "enable.idempotence":
            value == "true" ? nil : "without idempotence a retried request can be stored twice, or out of order (true)"
        case "partitioner":
            value == "random"
                ? "messages of one key would be spread over partitions, where nothing keeps their order; any other partitioner goes by"
                    + " the key"
                : nil
        case "queuing.strategy":
            value == "lifo" ? "later messages of a key would pass earlier ones (fifo)" : nil
        case "enable.gapless.guarantee":
            value == "true" ? nil : "without it a later message of a key passes one that failed (true)"
        case "message.timeout.ms", "delivery.timeout.ms":
            "how long a message may take is `timeout`, for which its whole batch waits"
        case "retries", "message.send.max.retries":
            "requests are repeated until the `timeout` of the batch"
        case "transactional.id":
            "there are no transactions here"
        case "delivery.report.only.error", "log.queue", "enabled_events", "background_event_cb", "dr_cb", "dr_msg_cb",
            "error_cb", "stats_cb", "log_cb", "throttle_cb", "opaque", "interceptors":
            "it belongs to the transport"
        case "bootstrap.servers", "metadata.broker.list":
            "the brokers stand in the address"
        case "test.mock.num.brokers":
            "a transport delivers to real brokers"
        default: nil
        }
    }

    /// Why a property cannot have that value beside the transport's own times; nil: it can.
    private static func reason(
        against name: String, _ value: String, _ delivery: KafkaConfiguration.Delivery
    ) -> String? {
        guard ["linger.ms", "queue.buffering.max.ms", "topic.metadata.propagation.max.ms"].contains(name),
            let milliseconds = Double(value), milliseconds >= delivery.timeout.seconds * 1000
        else { return nil }
        return "nothing could be confirmed within the `timeout` (\(delivery.timeout.seconds) s)"
    }

    /// Why a property cannot have that value beside what is given of TLS and the login; nil: it can.
    private static func reason(
        against name: String, _ value: String, _ security: KafkaConfiguration.Security
    ) -> String? {
        guard name == "security.protocol" else { return nil }
        let value = value.lowercased()
        if security.tls != nil, !value.hasSuffix("ssl") { return "TLS is asked for, and there would be none" }
        if security.sasl != nil, !value.hasPrefix("sasl") { return "a user is given, and there would be no login" }
        return nil
    }

    /// Whether a property's value must not be shown.
    static func isSecret(_ name: String) -> Bool {
        ["password", "secret", ".pem", "oauthbearer.config", "keytab", "username"].contains { name.contains($0) }
    }
}
