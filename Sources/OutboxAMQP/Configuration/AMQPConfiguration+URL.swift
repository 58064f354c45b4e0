public import Outbox
import OutboxRuntime

extension AMQPConfiguration {
    /// The schemes of addresses, and the ports of hosts that name none.
    package static let ports = ["amqp": 5672, "amqps": 5671]

    /// Reads an address: `amqp://user:password@host:port,host/vhost?exchange=orders&type=topic`, or `amqps://` for TLS.
    ///
    /// Without a path, or with one that is empty, the virtual host is `/`. An exchange is declared if its `type` is given; a `queue` is declared, and
    /// bound to the exchange with the `binding_key`: by default the routing key if it is the same for every message, else
    /// `#`. With a `queue` and no `exchange`, messages go to that queue through the default exchange.
    ///
    /// The parameters are those of the properties: `exchange`, `type`, `durable`, `auto_delete` (of the exchange and the
    /// queue), `exchange.NAME` and `queue.NAME` (an argument of what is declared, such as `exchange.x-delayed-type=direct` or
    /// `queue.x-max-length=1000`), `queue`, `queue_type`, `binding_key`, `routing_key`, `unroutable` (`retry`, `reject`, `drop`), `persistent`,
    /// `message_id`, `content_type`, `message_type`, `app_id`, `priority`, `expiration`, `max_message_size`, `window`,
    /// `key_order` (`one_at_a_time`, `pipelined`), `confirm_timeout`, `connect_timeout`, `heartbeat`, `frame_size`,
    /// `connection_name`, `host_order` (`random`, `as_given`), `initial_delay`, `maximum_delay`; with `amqps` `ca_file`,
    /// `cert_file`, `key_file`, `verify_peer`, `verify_host`, `auth` (`password`, `certificate`). A time is `30s`, `500ms` or `2m`; a bare number
    /// is seconds.
    ///
    /// - Throws: What is wrong with it: unknown or repeated parameters, values that are none, and
    ///   settings that cannot work together. Without credentials.
    public init(url: String) throws(TransportConfigurationError) {
        let address: BrokerURL
        do throws(InvalidText) {
            address = try BrokerURL(url, ports: Self.ports)
        } catch {
            throw TransportConfigurationError(error)
        }
        var parameters = try AMQPParameters(address.parameters)
        self.init(hosts: address.hosts.map { Host($0.name, port: $0.port) })
        // An empty one is what a slash before the parameters gives, and no virtual host that there is.
        self.virtualHost = address.path.flatMap { $0.isEmpty ? nil : $0 } ?? "/"
        self.credentials = .password(user: address.user ?? "guest", password: address.password ?? "guest")
        try self.applyTopology(&parameters)
        try self.applyPublishing(&parameters)
        try self.applyConnection(&parameters)
        if address.scheme == "amqps" { try self.applySecurity(&parameters) }
        try parameters.finish()
        try self.validate()
    }

    private mutating func applyTopology(_ parameters: inout AMQPParameters) throws(TransportConfigurationError) {
        let isDurable = try parameters.flag("durable")
        let isAutoDeleted = try parameters.flag("auto_delete")
        let name = parameters.text("exchange") ?? ""
        let queueName = parameters.text("queue")
        let exchangeArguments = parameters.arguments(of: "exchange")
        let queueArguments = parameters.arguments(of: "queue")
        if let type = parameters.text("type") {
            self.exchange = .declared(
                name, type: type, isDurable: isDurable ?? true, isAutoDeleted: isAutoDeleted ?? false,
                arguments: exchangeArguments)
        } else {
            if !exchangeArguments.isEmpty {
                throw TransportConfigurationError(
                    "arguments of the exchange are for one that is declared: give its “type”")
            }
            self.exchange = .named(name)
            if queueName == nil, isDurable != nil || isAutoDeleted != nil {
                throw TransportConfigurationError(
                    "“durable” and “auto_delete” are for what is declared: give the exchange’s “type”, or a “queue”")
            }
        }
        if let key = parameters.text("routing_key") {
            self.publishing.routingKey = try MessageTemplate(key, of: "routing_key")
        } else if name.isEmpty, let queueName {
            self.publishing.routingKey = try MessageTemplate(
                queueName.replacing("{", with: "{{").replacing("}", with: "}}"), of: "queue")
        }
        let bindingKey = parameters.text("binding_key")
        let queueType = parameters.text("queue_type")
        guard let queueName else {
            if bindingKey != nil || queueType != nil || !queueArguments.isEmpty {
                throw TransportConfigurationError("“binding_key”, “queue_type” and arguments of a queue need a “queue”")
            }
            return
        }
        var queue = Queue(queueName, isDurable: isDurable ?? true, isAutoDeleted: isAutoDeleted ?? false)
        queue.arguments = queueArguments
        if let queueType {
            if queueArguments["x-queue-type"] != nil {
                throw TransportConfigurationError(
                    "the queue’s type is given twice, as “queue_type” and “queue.x-queue-type”")
            }
            queue.arguments["x-queue-type"] = .text(queueType)
        }
        if let bindingKey {
            queue.bindingKeys = [bindingKey]
        } else if !name.isEmpty {
            queue.bindingKeys = [self.publishing.routingKey.constant ?? "#"]
        }
        self.queues = [queue]
    }

    private mutating func applyPublishing(_ parameters: inout AMQPParameters) throws(TransportConfigurationError) {
        let unroutable: [String: Unroutable] = ["retry": .retried, "reject": .rejected, "drop": .dropped]
        if let choice = try parameters.choice("unroutable", unroutable) { self.publishing.unroutable = choice }
        if let flag = try parameters.flag("persistent") { self.publishing.isPersistent = flag }
        if let text = parameters.text("message_id") {
            self.publishing.messageID = try MessageTemplate(text, of: "message_id")
        }
        if let text = parameters.text("message_type") {
            self.publishing.type = try MessageTemplate(text, of: "message_type")
        }
        if let text = parameters.text("content_type") { self.publishing.contentType = text }
        if let text = parameters.text("app_id") { self.publishing.applicationID = text }
        if let number = try parameters.number("priority", 0...255) { self.publishing.priority = UInt8(number) }
        if let time = try parameters.duration("expiration") { self.publishing.expiration = time }
        if let number = try parameters.number("max_message_size", 1...Int.max) {
            self.publishing.maximumMessageSize = number
        }
    }

    private mutating func applyConnection(_ parameters: inout AMQPParameters) throws(TransportConfigurationError) {
        if let number = try parameters.number("window", 1...1_000_000) { self.confirms.window = number }
        let orders: [String: BatchSchedule.KeyOrder] = ["one_at_a_time": .oneAtATime, "pipelined": .pipelined]
        if let order = try parameters.choice("key_order", orders) { self.confirms.keyOrder = order }
        if let time = try parameters.duration("confirm_timeout") { self.confirms.timeout = time }
        if let time = try parameters.duration("connect_timeout") { self.connection.timeout = time }
        if let time = try parameters.duration("heartbeat") { self.connection.heartbeat = time }
        if let time = try parameters.duration("initial_delay") { self.connection.initialDelay = time }
        if let time = try parameters.duration("maximum_delay") { self.connection.maximumDelay = time }
        if let number = try parameters.number("frame_size", 4096...131_072) { self.connection.frameSize = number }
        if let text = parameters.text("connection_name") { self.connection.name = text }
        let hostOrders: [String: HostOrder] = ["random": .random, "as_given": .asGiven]
        if let order = try parameters.choice("host_order", hostOrders) { self.hostOrder = order }
    }

    private mutating func applySecurity(_ parameters: inout AMQPParameters) throws(TransportConfigurationError) {
        var tls = TLSSettings()
        for parameter in TLSSettings.Parameter.allCases {
            if let text = parameters.text(parameter.rawValue) { try tls.set(parameter, to: text) }
        }
        self.tls = tls
        let kinds = ["password": false, "certificate": true]
        if try parameters.choice("auth", kinds) == true { self.credentials = .certificate }
    }
}
