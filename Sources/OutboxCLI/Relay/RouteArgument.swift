import ArgumentParser
import Outbox
import OutboxRuntime

/// What `--route` says: a destination, and where its messages go.
struct RouteArgument: Sendable {
    /// The destination's name; nil: every other destination.
    let destination: String?
    let sink: Sink
    /// How its messages are delivered, where the file says so for this route.
    var delivery = DeliveryLayer()

    init(destination: String?, sink: Sink, delivery: DeliveryLayer) {
        self.destination = destination
        self.sink = sink
        self.delivery = delivery
    }

    /// Reads `DESTINATION=SINK`.
    init(parsing argument: String) throws {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, !parts[0].contains("://") else {
            // It can have a password.
            if argument.contains("://") { throw ValidationError("before an address stands its DESTINATION=") }
            throw ValidationError("“\(Redaction.shown(argument))” is not DESTINATION=SINK, such as event-bus=stdout")
        }
        guard parts[0].utf8.count <= 255 else { throw ValidationError("a destination has at most 255 bytes") }
        self.destination = parts[0] == "*" ? nil : parts[0]
        self.sink = try Self.sink(parts[1])
    }

    /// Reads `stdout`, `file:PATH`, an address and so on.
    static func sink(_ text: String) throws -> Sink {
        if let broker = BrokerSink(text) { return .broker(broker) }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let value = parts.count == 2 ? parts[1] : nil
        switch (parts[0], value) {
        case ("stdout", nil): return .stdout
        case ("discard", nil): return .discard
        case ("file", let path?) where !path.isEmpty: return .file(path)
        case ("exec", let command?) where !command.isEmpty: return .exec(command)
        case ("file", _): throw ValidationError("“file” needs a path: file:PATH")
        case ("exec", _): throw ValidationError("“exec” needs a command: exec:COMMAND")
        case ("stdout", _), ("discard", _): throw ValidationError("“\(parts[0])” takes nothing after a colon")
        default:
            if BrokerSink.schemes.contains(where: { text.lowercased().hasPrefix($0) }) {
                throw ValidationError(
                    "an address begins with \(BrokerSink.schemes.map { $0 + "://" }.joined(separator: ", "))")
            }
            guard let (name, nearest) = Redaction.misspelling(parts[0], of: Sink.names) else {
                throw ValidationError("that is no sink; known are \(Sink.names.joined(separator: ", "))")
            }
            throw ValidationError("“\(name)” is no sink; did you mean “\(nearest)”?")
        }
    }
}
