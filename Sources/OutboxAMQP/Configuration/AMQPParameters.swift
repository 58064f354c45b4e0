import Outbox
import OutboxRuntime

/// The parameters of an address, each of which is taken once.
struct AMQPParameters: AddressParameters {
    private static let known = [
        "app_id", "auto_delete", "binding_key", "confirm_timeout", "connect_timeout", "connection_name", "content_type",
        "durable", "exchange", "expiration", "frame_size", "heartbeat", "host_order", "initial_delay", "key_order",
        "max_message_size", "maximum_delay", "message_id", "message_type", "persistent", "priority", "queue",
        "queue_type",
        "routing_key", "type", "unroutable", "window",
    ]
    private static let knownWithTLS = ["auth"] + TLSSettings.Parameter.names

    /// What an argument's name begins with, of the exchange or the queue: `exchange.alternate-exchange`, `queue.x-max-length`.
    private static let argumentPrefixes = ["exchange.", "queue."]

    var values: [String: String] = [:]

    init(_ parameters: [BrokerURL.Parameter]) throws(TransportConfigurationError) {
        let known = Self.known + Self.knownWithTLS
        for parameter in parameters {
            try self.add(
                parameter.name, parameter.value, known: known, isPattern: Self.isArgument(parameter.name))
        }
    }

    private static func isArgument(_ name: String) -> Bool {
        self.argumentPrefixes.contains { name.hasPrefix($0) && name.utf8.count > $0.utf8.count }
    }

    /// The arguments of the exchange or the queue: whole numbers, `true` and `false`, and texts.
    mutating func arguments(of kind: String) -> [String: AMQPConfiguration.Argument] {
        var arguments: [String: AMQPConfiguration.Argument] = [:]
        for (name, value) in self.values where name.hasPrefix(kind + ".") {
            self.values[name] = nil
            let argument: AMQPConfiguration.Argument =
                switch value {
                case "true": true
                case "false": false
                default: Int64(value).map(AMQPConfiguration.Argument.integer) ?? .text(value)
                }
            arguments[String(name.dropFirst(kind.count + 1))] = argument
        }
        return arguments
    }

    /// Refuses parameters that no setting has used: those of TLS without TLS.
    func finish() throws(TransportConfigurationError) {
        guard let name = self.values.keys.min() else { return }
        throw TLSSettings.needsTLS(name, scheme: "amqps")
    }
}
