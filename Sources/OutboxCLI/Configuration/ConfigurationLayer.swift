import Logging
import Outbox
import OutboxPostgres
import OutboxRuntime

/// What a configuration file and the environment say: a layer of settings that lies below the options. What is not given is nil.
struct ConfigurationLayer: Sendable {
    var server = ServerLayer()
    var relay = RelayLayer()
    var segments = SegmentLayer()
    var logLevel: Logger.Level?
    var logFormat: LogFormat?
    var listen: ListenAddress?
    var web = WebLayer()
    /// What holds for every route that does not say otherwise.
    var delivery = DeliveryLayer()
    /// In the order of the file.
    var routes: [RouteLayer] = []

    /// All settings but the routes.
    static let settings: [Setting<ConfigurationLayer>] =
        ServerLayer.settings.map { $0.lifted(\.server) } + RelayLayer.settings.map { $0.lifted(\.relay) }
        + DeliveryLayer.settings.map { $0.lifted(\.delivery) } + SegmentLayer.settings.map { $0.lifted(\.segments) }
        + [
            .choice("log_level", "From which level on the relay writes its log. Default: info.", \.logLevel),
            .choice("log_format", "How lines of the log are written. Default: text.", \.logFormat),
            .address(
                "listen",
                "Where the relay answers to probes, scrapers and browsers, such as 127.0.0.1:9464; without a host, as in “:9464”, to this machine alone. Default: nowhere.",
                \.listen),
        ] + WebLayer.settings.map { $0.lifted(\.web) }
}

/// Which server, and which outbox there.
struct ServerLayer: Sendable {
    var postgres: String?
    var passwordFile: String?
    var passwordCommand: String?
    var answerTimeout: Duration?
    var preparedStatements: Bool?
    var schema: String?

    static let settings: [Setting<ServerLayer>] = [
        .text(
            "postgres", "The server: a URL or key=value pairs as for psql. Default: the PG* variables.", \.postgres),
        .text(
            "password_file", "A file with the password of the server, read again at each login.", \.passwordFile),
        .text(
            "password_command",
            "A command of the shell that writes the password of the server, such as a token of a cloud, run at each login.",
            \.passwordCommand),
        .interval(
            "answer_timeout", allowsZero: true,
            "How long the server may be silent while an answer is due; 0: as long as it likes. Default: 30s.",
            \.answerTimeout),
        .flag(
            "prepared_statements",
            "Whether statements are prepared and used again; not through some poolers. Default: true.",
            \.preparedStatements),
        .text("schema", "The schema of the outbox. Default: outbox.", \.schema),
    ]
}

/// How a relay reads, commits and ends.
struct RelayLayer: Sendable {
    var subscription: String?
    var from: FromArgument?
    var page: Int?
    var window: Int?
    var streams: Int?
    var poll: Duration?
    var fallbackPoll: Bool?
    var drainDeadline: Duration?

    static let settings: [Setting<RelayLayer>] = [
        .text(
            "subscription",
            "The name under which the cursors are kept. Default: \(RelaySettings.defaults.subscription).",
            \.subscription),
        .choice(
            "from",
            "Where the subscription begins with a destination that it has no stream of yet: the oldest message that the log has kept, or what is committed from now on. Default: start.",
            \.from),
        .count(
            "page", 1...(.max),
            "How many messages are read at once at most. Default: \(RelaySettings.defaults.page.messages).", \.page),
        .count(
            "window", 1...(.max),
            "How many messages may be read and not yet committed; not fewer than a page has. Default: \(RelaySettings.defaults.window.messages).",
            \.window),
        .count(
            "streams", 1...1024,
            "How many streams, which relays share, a destination gets that has none yet. Default: 1.", \.streams),
        .interval(
            "poll", atLeast: .milliseconds(1), "Look at this interval and never listen. Default: listen.", \.poll),
        .flag(
            "fallback_poll", "Whether the relay looks just in case, though nothing was notified. Default: true.",
            \.fallbackPoll),
        .interval(
            "drain_deadline", allowsZero: true,
            "How long begun deliveries may take when the relay ends. Default: \(RelaySettings.defaults.shutdownDeadline.short).",
            \.drainDeadline),
    ]

    /// As the library has it.
    var settings: RelaySettings {
        var settings = RelaySettings()
        settings.subscription = self.subscription
        settings.firstPosition = self.from?.position
        settings.page.messages = self.page
        settings.window.messages = self.window
        settings.shutdown.deadline = self.drainDeadline
        return settings
    }

    /// How the relay learns that there is something to read; nil: it is not given.
    var wakeup: PostgresStore.Wakeup? {
        if let poll { return .polling(every: poll) }
        return self.fallbackPoll == false ? .notify(fallback: nil) : nil
    }
}

/// How much of the log is kept, and for how long.
struct SegmentLayer: Sendable {
    var retention: Duration?
    var age: Duration?
    var mebibytes: Int?

    static let settings: [Setting<SegmentLayer>] = [
        .interval(
            "retention", allowsZero: true,
            "How long what was delivered is kept, at least. Default: \(SegmentPolicy().retention.short).", \.retention),
        .interval(
            "segment_age",
            "How long new messages go to one segment; not less than a third of the retention. Default: \(SegmentPolicy().maximumAge.short).",
            \.age),
        .count(
            "segment_size", 1...(1 << 30),
            "How big a segment gets before its time is over, in MiB. Default: \(SegmentPolicy().maximumBytes >> 20).",
            \.mebibytes),
    ]
}

/// How messages are delivered.
struct DeliveryLayer: Sendable {
    /// What a failed message means for the later ones of its key.
    enum Order: String, CaseIterable {
        case key, none
    }

    var concurrency: Int?
    var maxAttempts: Int?
    var initialDelay: Duration?
    var maxDelay: Duration?
    var multiplier: Double?
    var jitter: Bool?
    var order: Order?
    var breaker: Bool?
    var breakerFailures: Int?
    var breakerMaxDelay: Duration?
    /// Nil within: never.
    var parkAfter: Duration??
    var timeout: Duration?
    var batch: Int?
    var maxRate: Double?

    static let settings: [Setting<DeliveryLayer>] = [
        .count(
            "concurrency", 1...1024,
            "Deliveries at the same time, per destination. Default: 4.", \.concurrency),
        .count(
            "max_attempts", 1...(.max),
            "How often delivery is tried before a message is dead, in all. Default: \(Self.usual.retry.maximumAttempts).",
            \.maxAttempts),
        .interval(
            "initial_delay", allowsZero: true,
            "The longest pause before the second attempt. Default: \(BackoffRetryStrategy.usual.base.short).",
            \.initialDelay),
        .interval(
            "max_delay", allowsZero: true,
            "What the pause never exceeds. Default: \(BackoffRetryStrategy.usual.cap.short).", \.maxDelay),
        .number(
            "multiplier", atLeast: 1, "By what the pause grows with every attempt. Default: 2.", \.multiplier),
        .flag(
            "jitter",
            "Whether the pause is drawn at random up to the longest, so that what failed together is not tried together. Default: true.",
            \.jitter),
        .choice(
            "order",
            "Whether later messages of a key wait while an earlier one is being retried (key), or pass (none). Default: key.",
            \.order),
        .flag(
            "breaker",
            "Whether a destination that is down is probed with one message, instead of deferring all one by one. Default: true.",
            \.breaker),
        .count(
            "breaker_failures", 1...(.max),
            "How many failures in a row, of different keys, mean that a destination is down. Default: 20.",
            \.breakerFailures),
        .interval(
            "breaker_max_delay", "The longest pause between two probes. Default: 30s.", \.breakerMaxDelay),
        .interval(
            "park_after", or: "never",
            "How long a command may take before others pass its message. For exec alone. Default: \(Self.usual.parkedAfter?.short ?? "never").",
            \.parkAfter),
        .interval(
            "timeout",
            "How long a command may take before it is killed and its message tried again. For exec alone. Default: no limit.",
            \.timeout),
        .count(
            "batch", 1...(.max),
            "How many messages are handed over at once at most; not for exec and discard. Default: 1000.", \.batch),
        .number(
            "max_rate", atLeast: 0.001,
            "How many messages a second a destination is given at most, by each relay. Default: no limit.", \.maxRate),
    ]

    private static let usual = DeliverySettings().resolved(for: .message)

    /// These settings, and where they say nothing, those of `lower`.
    func merged(over lower: DeliveryLayer) -> DeliveryLayer {
        var merged = lower
        for copy in Self.copies { copy(self, &merged) }
        return merged
    }

    /// What copies each member that is given.
    private static let copies: [@Sendable (DeliveryLayer, inout DeliveryLayer) -> Void] = [
        Self.copy(\.concurrency), Self.copy(\.maxAttempts), Self.copy(\.initialDelay), Self.copy(\.maxDelay),
        Self.copy(\.multiplier), Self.copy(\.jitter), Self.copy(\.order), Self.copy(\.breaker),
        Self.copy(\.breakerFailures), Self.copy(\.breakerMaxDelay), Self.copy(\.parkAfter), Self.copy(\.timeout),
        Self.copy(\.batch), Self.copy(\.maxRate),
    ]

    private static func copy<Value>(
        _ member: any WritableKeyPath<DeliveryLayer, Value?> & Sendable
    ) -> @Sendable (DeliveryLayer, inout DeliveryLayer) -> Void {
        { upper, lower in if let value = upper[keyPath: member] { lower[keyPath: member] = value } }
    }

    /// As the library has it.
    var settings: DeliverySettings {
        DeliverySettings(
            retry: .exponential(
                maximumAttempts: self.maxAttempts, initialDelay: self.initialDelay, multiplier: self.multiplier,
                maximumDelay: self.maxDelay, jitter: self.jitter),
            concurrency: self.concurrency, ordering: self.order.map { $0 == .key ? .byKey : .unordered },
            breaker: self.breakerPolicy,
            parking: self.parkAfter.map { delay in delay.map { .after($0) } ?? .never },
            timeout: self.timeout, maximumCount: self.batch, maximumRate: self.maxRate)
    }

    private var breakerPolicy: BreakerPolicy? {
        switch self.breaker {
        case false?: .off
        case nil where self.breakerFailures == nil && self.breakerMaxDelay == nil: nil
        case nil, true?:
            .opening(
                afterFailures: self.breakerFailures ?? 20, maximumDelay: self.breakerMaxDelay ?? .seconds(30))
        }
    }

    /// The settings that were given and that a sink has no use for, by name.
    func useless(for sink: Sink) -> [String] {
        var names: [String] = []
        if self.breaker == false {
            if self.breakerFailures != nil { names.append("breaker_failures") }
            if self.breakerMaxDelay != nil { names.append("breaker_max_delay") }
        }
        switch sink {
        case .exec, .discard: if self.batch != nil { names.append("batch") }
        case .stdout, .file, .broker: break
        }
        if case .exec = sink { return names }
        if self.parkAfter != nil { names.append("park_after") }
        if self.timeout != nil { names.append("timeout") }
        return names
    }
}
