public import Outbox
import OutboxRuntime

extension WebhookConfiguration {
    /// The schemes of addresses, and the ports of hosts that name none.
    package static let ports = ["https": 443, "http": 80]

    /// Reads an address: `https://user:password@host/path/{route}?customer={key}&outbox.secret=whsec_…`.
    ///
    /// It is the URL that messages are sent to, and may have templates (``address``). Parameters that begin with `outbox.` are the
    /// transport's and are taken out; the others are the receiver's.
    ///
    /// - `outbox.method` (`post`, `put`), `outbox.content_type`, `outbox.id`, `outbox.headers` (names with commas between them; empty: none),
    ///   `outbox.header_prefix`, `outbox.header.NAME` (a header of every request), `outbox.idempotency_header` (empty: none),
    ///   `outbox.max_message_size`;
    /// - `outbox.secret` (keys with commas between them), `outbox.secret_file`, `outbox.token` (`Authorization: Bearer`);
    /// - `outbox.events` (`binary`, `structured`), and with it `outbox.source`, `outbox.type`, `outbox.subject`, `outbox.schema`;
    /// - `outbox.hosts`, `outbox.allow` (each with commas), `outbox.proxy`;
    /// - `outbox.timeout`, `outbox.connect_timeout`, `outbox.concurrency`, `outbox.rate`, `outbox.key_order` (`one_at_a_time`,
    ///   `pipelined`);
    /// - `outbox.failures`, `outbox.initial_pause`, `outbox.maximum_pause`, `outbox.maximum_retry_after`, `outbox.gone` (`hold`,
    ///   `reject`);
    /// - with https `outbox.ca_file`, `outbox.cert_file`, `outbox.key_file`, `outbox.verify_peer`, `outbox.verify_host`.
    ///
    /// A time is `30s`, `500ms` or `2m`; a bare number is seconds.
    ///
    /// - Throws: What is wrong with it, without repeating what could be secret.
    public init(url: String) throws(TransportConfigurationError) {
        let parts = try AddressParts(url)
        var parameters = try WebhookParameters(query: parts.query)
        let port = parts.port.map { ":\($0)" } ?? ""
        let query = parameters.query.isEmpty ? "" : "?\(parameters.query)"
        self.init(address: "\(parts.scheme)://\(parts.host)\(port)\(parts.path)\(query)")
        try self.applyRequest(&parameters)
        try self.applySecrets(&parameters, parts)
        try self.applyEvents(&parameters)
        try self.applyLimits(&parameters)
        self.hosts = parameters.list("hosts") ?? []
        self.allowedAddresses = parameters.list("allow") ?? []
        self.proxy = parameters.text("proxy")
        for parameter in TLSSettings.Parameter.allCases {
            guard let text = parameters.text(parameter.rawValue) else { continue }
            guard parts.scheme == "https" else {
                throw TLSSettings.needsTLS(WebhookParameters.prefix + parameter.rawValue, scheme: "https")
            }
            try self.tls.set(parameter, to: text)
        }
    }

    /// Takes the secrets that it has none of from the environment: `OUTBOX_WEBHOOK_SECRET`, keys with spaces or commas between them;
    /// `OUTBOX_WEBHOOK_TOKEN`; `OUTBOX_WEBHOOK_USERNAME` and `OUTBOX_WEBHOOK_PASSWORD`.
    ///
    /// - Parameter environment: The process's variables.
    /// - Throws: What is wrong with one, without repeating it.
    public mutating func takeSecrets(from environment: [String: String]) throws(TransportConfigurationError) {
        let signing = self.signing
        if signing.keys.isEmpty, signing.keysByHost.isEmpty, signing.keyFile == nil,
            let text = environment["OUTBOX_WEBHOOK_SECRET"]
        {
            do throws(TransportConfigurationError) {
                self.signing.keys = try Self.keys(in: text)
            } catch {
                throw TransportConfigurationError("OUTBOX_WEBHOOK_SECRET: \(error.description)")
            }
        }
        // What the configuration says itself of who it is, is not completed by half.
        if self.credentials != nil || self.request.headers.keys.contains(where: { $0.lowercased() == "authorization" })
        {
            return
        }
        if let token = environment["OUTBOX_WEBHOOK_TOKEN"] {
            self.credentials = .bearer(token)
        } else if let user = environment["OUTBOX_WEBHOOK_USERNAME"],
            let password = environment["OUTBOX_WEBHOOK_PASSWORD"]
        {
            self.credentials = .basic(user: user, password: password)
        }
    }

    /// The keys of a text that has them with spaces or commas between them.
    ///
    /// - Throws: What is wrong with one, without repeating it.
    package static func keys(in text: String) throws(TransportConfigurationError) -> [WebhookKey] {
        try self.keys(text.split { $0 == "," || $0.isWhitespace }.map(String.init))
    }

    private static func keys(_ texts: [String]) throws(TransportConfigurationError) -> [WebhookKey] {
        var keys: [WebhookKey] = []
        for text in texts { keys.append(try WebhookKey(text)) }
        return keys
    }

    private mutating func applyRequest(_ parameters: inout WebhookParameters) throws(TransportConfigurationError) {
        if let method = try parameters.choice("method", ["post": Method.post, "put": .put]) {
            self.request.method = method
        }
        if let template = try parameters.template("id") { self.request.id = template }
        if let text = parameters.text("content_type") { self.request.contentType = text }
        if let names = parameters.list("headers") { self.request.messageHeaders = names }
        if let text = parameters.text("header_prefix") { self.request.messageHeaderPrefix = text }
        if let text = parameters.text("idempotency_header") {
            self.request.idempotencyHeader = text.isEmpty ? nil : text
        }
        if let number = try parameters.number("max_message_size", 1...Int(Int32.max)) {
            self.request.maximumMessageSize = number
        }
        self.request.headers = try parameters.headers()
    }

    private mutating func applySecrets(
        _ parameters: inout WebhookParameters, _ parts: AddressParts
    ) throws(TransportConfigurationError) {
        if let texts = parameters.list("secret") { self.signing.keys = try Self.keys(texts) }
        self.signing.keyFile = parameters.text("secret_file")
        let token = parameters.text("token")
        if let user = parts.user {
            guard token == nil else {
                throw TransportConfigurationError(
                    "the address has a user, and “outbox.token” a token; one of them says who it is")
            }
            guard let password = parts.password else {
                throw TransportConfigurationError("a user’s name is given without a password")
            }
            guard let user = PercentEncoding.decoded(user), let password = PercentEncoding.decoded(password) else {
                throw TransportConfigurationError("user and password are percent-encoded in UTF-8")
            }
            self.credentials = .basic(user: user, password: password)
        } else if let token {
            self.credentials = .bearer(token)
        }
    }

    private mutating func applyEvents(_ parameters: inout WebhookParameters) throws(TransportConfigurationError) {
        let modes: [String: CloudEvents.Mode] = ["binary": .binary, "structured": .structured]
        let mode = try parameters.choice("events", modes)
        let source = try parameters.template("source")
        let type = try parameters.template("type")
        let subject = try parameters.template("subject")
        let schema = try parameters.template("schema")
        guard let mode else {
            if source != nil || type != nil || subject != nil || schema != nil {
                throw TransportConfigurationError(
                    "“outbox.source”, “outbox.type”, “outbox.subject” and “outbox.schema” are of events: give “outbox.events”"
                )
            }
            return
        }
        self.cloudEvents = CloudEvents(
            mode: mode, source: source ?? "{destination}", type: type, subject: subject, dataSchema: schema)
    }

    private mutating func applyLimits(_ parameters: inout WebhookParameters) throws(TransportConfigurationError) {
        if let time = try parameters.duration("timeout") { self.limits.timeout = time }
        if let time = try parameters.duration("connect_timeout") { self.limits.connectTimeout = time }
        if let number = try parameters.number("concurrency", 1...10_000) { self.limits.requestsPerHost = number }
        if let rate = try parameters.rate("rate") { self.limits.requestsPerSecond = rate }
        let orders: [String: BatchSchedule.KeyOrder] = ["one_at_a_time": .oneAtATime, "pipelined": .pipelined]
        if let order = try parameters.choice("key_order", orders) { self.limits.keyOrder = order }
        if let number = try parameters.number("failures", 1...1_000_000) { self.outage.failures = number }
        if let time = try parameters.duration("initial_pause") { self.outage.initialPause = time }
        if let time = try parameters.duration("maximum_pause") { self.outage.maximumPause = time }
        if let time = try parameters.duration("maximum_retry_after") { self.outage.maximumRetryAfter = time }
        if let gone = try parameters.choice("gone", ["hold": Gone.held, "reject": .rejected]) {
            self.outage.gone = gone
        }
    }
}
