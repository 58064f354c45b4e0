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
    /// RabbitMQ or Kafka.
    case broker(BrokerSink)

    static let names = ["stdout", "file", "exec", "discard"] + BrokerSink.schemes
}

/// How a destination is delivered, whatever the sink.
struct DeliveryOptions: Sendable {
    var retry: DeliveryRetryPolicy
    var concurrency: Int?
    var ordering: DestinationHandler.Ordering
    var breaker: BreakerPolicy
    /// How long a command may take before others pass its message.
    var parkedAfter: Duration
    /// Whether every single delivery is reported as an event. Messages are handed over one by one then.
    var reportsDeliveries: Bool
}

/// Makes handlers of sinks; those that write to the same place share a writer, or a transport.
struct SinkHandlers {
    private let options: DeliveryOptions
    private let readerGone: @Sendable () -> Void
    private let logger: Logger
    private var writers: [Sink: LineWriter] = [:]
    private var transports: [BrokerSink: any Transport] = [:]

    /// - Parameter readerGone: Called when stdout has lost its reader.
    init(options: DeliveryOptions, logger: Logger, readerGone: @escaping @Sendable () -> Void) {
        self.options = options
        self.logger = logger
        self.readerGone = readerGone
    }

    /// Finds what is wrong with the addresses of brokers.
    ///
    /// - Throws: A ``CommandFailure``.
    mutating func check(_ sinks: [Sink]) throws {
        for case .broker(let broker) in sinks { _ = try self.transport(for: broker) }
    }

    /// The handler for a sink.
    ///
    /// - Throws: A ``CommandFailure`` when a file cannot be opened.
    mutating func handler(for sink: Sink) throws -> DestinationHandler {
        switch sink {
        case .stdout, .file: return try self.lines(self.writer(for: sink))
        case .exec(let command):
            let command = CommandSink(command: command)
            return .handler(
                retry: self.options.retry, concurrency: self.options.concurrency ?? 4, ordering: self.options.ordering,
                breaker: self.options.breaker, parkedAfter: self.options.parkedAfter
            ) { message in try await command.deliver(message) }
        case .discard:
            return .handler(
                retry: self.options.retry, concurrency: self.options.concurrency ?? 4, ordering: self.options.ordering,
                breaker: self.options.breaker
            ) { _ in }
        case .broker(let broker):
            // --park-after is for commands and does not apply: a batch takes longer than a message.
            return .transport(
                try self.transport(for: broker), retry: self.options.retry, concurrency: self.options.concurrency ?? 4,
                ordering: self.options.ordering, breaker: self.options.breaker)
        }
    }

    private mutating func transport(for broker: BrokerSink) throws -> any Transport {
        if let transport = self.transports[broker] { return transport }
        let transport = try broker.transport(environment: ProcessInfo.processInfo.environment, logger: self.logger)
        self.transports[broker] = transport
        return transport
    }

    private mutating func writer(for sink: Sink) throws -> LineWriter {
        if let writer = self.writers[sink] { return writer }
        let writer: LineWriter
        if case .file(let path) = sink {
            writer = try LineWriter(appendingTo: path)
        } else {
            writer = LineWriter(standardOutput: self.readerGone)
        }
        self.writers[sink] = writer
        return writer
    }

    /// A slow reader holds up all lines, so parking would gain nothing.
    private func lines(_ writer: LineWriter) -> DestinationHandler {
        if self.options.reportsDeliveries {
            return .handler(
                retry: self.options.retry, concurrency: self.options.concurrency ?? 64, ordering: self.options.ordering,
                breaker: self.options.breaker, parkedAfter: nil
            ) { message in
                try await Self.write([message], to: writer)
            }
        }
        return .batch(
            retry: self.options.retry, concurrency: self.options.concurrency ?? 4, ordering: self.options.ordering,
            breaker: self.options.breaker, parkedAfter: nil
        ) { messages in
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
