import Outbox
import OutboxRuntime

/// The parameters of an address, each of which is taken once.
struct AMQPParameters {
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

    private var values: [String: String] = [:]

    init(_ parameters: [BrokerURL.Parameter]) throws(TransportConfigurationError) {
        let known = Self.known + Self.knownWithTLS
        for parameter in parameters {
            guard known.contains(parameter.name) || Self.isArgument(parameter.name) else {
                guard let (name, nearest) = Redaction.misspelling(parameter.name, of: known) else {
                    throw TransportConfigurationError(
                        "there is a parameter that is not known; known are \(known.joined(separator: ", "))")
                }
                throw TransportConfigurationError("there is no parameter “\(name)”; did you mean “\(nearest)”?")
            }
            guard self.values.updateValue(parameter.value, forKey: parameter.name) == nil else {
                throw TransportConfigurationError("the parameter “\(Redaction.shown(parameter.name))” is given twice")
            }
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

    mutating func text(_ name: String) -> String? { self.values.removeValue(forKey: name) }

    mutating func flag(_ name: String) throws(TransportConfigurationError) -> Bool? {
        try self.choice(name, ["true": true, "false": false])
    }

    mutating func choice<Value>(
        _ name: String, _ choices: [String: Value]
    ) throws(TransportConfigurationError) -> Value? {
        guard let text = self.text(name) else { return nil }
        guard let value = choices[text] else {
            let names = choices.keys.sorted().joined(separator: ", ")
            throw TransportConfigurationError("the parameter “\(name)” is one of \(names)")
        }
        return value
    }

    mutating func number(_ name: String, _ range: ClosedRange<Int>) throws(TransportConfigurationError) -> Int? {
        guard let text = self.text(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            let limits =
                range.upperBound == .max
                ? "at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
            throw TransportConfigurationError("the parameter “\(name)” is a whole number, \(limits)")
        }
        return number
    }

    mutating func duration(_ name: String) throws(TransportConfigurationError) -> Duration? {
        guard let text = self.text(name) else { return nil }
        guard let duration = try? DurationText.duration(text) else {
            throw TransportConfigurationError("the parameter “\(name)” is a time such as 30s, 500ms or 2m")
        }
        return duration
    }

    /// Refuses parameters that no setting has used: those of TLS without TLS.
    func finish() throws(TransportConfigurationError) {
        guard let name = self.values.keys.min() else { return }
        throw TLSSettings.needsTLS(name, scheme: "amqps")
    }
}
