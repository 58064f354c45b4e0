import Foundation
import Logging
import Outbox
import OutboxRuntime

/// Where the relay of the command line puts messages.
enum Sink: Hashable, Sendable {
    /// A line each on stdout.
    case stdout
    /// A line each at the end of a file.
    case file(String)
    /// A shell command per message.
    case exec(String)
    /// Nowhere: delivered at once.
    case discard
    /// RabbitMQ, Kafka or a webhook.
    case broker(BrokerSink)

    static let names = ["stdout", "file", "exec", "discard"] + BrokerSink.schemes

    /// What it is, without its address: `exec`, `amqps://`.
    var kindName: String {
        switch self {
        case .stdout: "stdout"
        case .file: "file"
        case .exec: "exec"
        case .discard: "discard"
        case .broker(let broker): broker.scheme
        }
    }
}

/// Makes handlers of sinks; those that write to the same place share a writer, or a transport.
struct SinkHandlers {
    private let reportsDeliveries: Bool
    private let lines: LineWriters
    private let logger: Logger
    private var transports: [BrokerSink: any Transport] = [:]

    /// - Parameters:
    ///   - reportsDeliveries: Whether every single delivery is reported as an event. Messages are handed over one by one then.
    ///   - lines: Those that write lines.
    init(reportsDeliveries: Bool, logger: Logger, lines: LineWriters) {
        self.reportsDeliveries = reportsDeliveries
        self.logger = logger
        self.lines = lines
    }

    /// Finds what is wrong with the addresses of brokers.
    ///
    /// - Throws: A ``CommandFailure``.
    mutating func check(_ routes: [RouteArgument]) throws {
        for route in routes {
            guard case .broker(let broker) = route.sink else { continue }
            do {
                _ = try self.transport(for: broker)
            } catch let failure as CommandFailure {
                throw CommandFailure(
                    failure.status, "the route of “\(Redaction.shown(route.destination ?? "*"))”: \(failure.message)")
            }
        }
    }

    /// What a sink leads to; nil: it needs no transport.
    ///
    /// - Throws: A ``CommandFailure``.
    mutating func transport(of sink: Sink) throws -> (any Transport)? {
        guard case .broker(let broker) = sink else { return nil }
        return try self.transport(for: broker)
    }

    /// The handler for a sink.
    ///
    /// - Parameter settings: What is given, and can be; the rest is as is usual for the sink.
    /// - Throws: A ``CommandFailure`` when a file cannot be opened.
    mutating func handler(for sink: Sink, settings: DeliverySettings) throws -> DestinationHandler {
        switch sink {
        case .stdout, .file: return try self.lines(self.lines.writer(for: sink), settings)
        case .exec(let command):
            let command = CommandSink(command: command)
            return .handler(settings: settings.merged(over: Self.usual)) { message in
                try await command.deliver(message)
            }
        case .discard:
            return .handler(settings: settings.merged(over: Self.usual)) { _ in }
        case .broker(let broker):
            var settings = settings
            // --park-after and --timeout are for commands: a batch takes longer than a message, and its transport has limits of its own.
            (settings.parking, settings.timeout) = (nil, nil)
            return .transport(try self.transport(for: broker), settings: settings)
        }
    }

    /// What is not usual for a handler that is called with one message at a time: processes are dear.
    private static let usual = DeliverySettings(concurrency: 4)

    private mutating func transport(for broker: BrokerSink) throws -> any Transport {
        if let transport = self.transports[broker] { return transport }
        let transport = try broker.transport(environment: ProcessInfo.processInfo.environment, logger: self.logger)
        self.transports[broker] = transport
        return transport
    }

    /// A slow reader holds up all lines, so parking would gain nothing.
    private func lines(_ writer: LineWriter, _ settings: DeliverySettings) -> DestinationHandler {
        var settings = settings
        (settings.parking, settings.timeout) = (.never, nil)
        if self.reportsDeliveries {
            return .handler(settings: settings) { message in try await Self.write([message], to: writer) }
        }
        return .batch(settings: settings) { messages in
            try await Self.write(messages, to: writer)
            return messages.map { _ in .delivered }
        }
    }

    private static func write(_ messages: [Message], to writer: LineWriter) async throws {
        var json = JSONWriter()
        for message in messages { json.line(message) }
        do {
            try await writer.write(json.take())
        } catch let failure as Descriptor.Failure {
            // A full disk is not the messages' fault.
            throw DeliveryFailure.unavailable("writing failed: \(failure.reason)")
        }
    }
}
