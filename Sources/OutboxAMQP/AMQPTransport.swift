public import Logging
public import Outbox
import OutboxRuntime

/// Publishes messages to RabbitMQ, or another broker that speaks AMQP 0-9-1 with publisher confirms.
///
/// ```swift
/// let bus = try AMQPTransport("amqp://localhost?exchange=orders")
/// let relay = Relay(postgres: postgres, routes: [.eventBus: .transport(bus)])
/// ```
///
/// A message is delivered when the broker has confirmed it, and it was not returned as unroutable. All of it goes over one
/// connection, which is made again whenever it is lost; while there is none, messages are
/// ``/Outbox/Outcome/unavailable(_:)``. A delivery that comes while a connection is being made waits for it.
public final class AMQPTransport: Transport {
    private let configuration: AMQPConfiguration
    private let logger: Logger
    private let mailbox = Mailbox(starting: .starting, ended: .closed)

    /// Creates a transport; nothing is connected before ``run()``.
    ///
    /// - Throws: What cannot work together, and what is wrong with files of certificates.
    public init(
        _ configuration: AMQPConfiguration, logger: Logger = Logger(label: "outbox.amqp")
    ) throws(TransportConfigurationError) {
        try configuration.validate()
        if let tls = configuration.tls {
            do throws(ConnectionLoss) {
                try BrokerConnection.checkFiles(of: tls)
            } catch {
                throw TransportConfigurationError("RabbitMQ: \(error.reason)")
            }
        }
        self.configuration = configuration
        self.logger = logger
    }

    /// Creates a transport from an address, see ``AMQPConfiguration/init(url:)``.
    ///
    /// - Throws: What is wrong with the address.
    public convenience init(
        _ url: String, logger: Logger = Logger(label: "outbox.amqp")
    ) throws(TransportConfigurationError) {
        try self.init(AMQPConfiguration(url: url), logger: logger)
    }

    /// Keeps a connection until ``close()`` has finished or the task is cancelled. Runs once.
    public func run() async throws {
        let (configuration, logger, mailbox) = (self.configuration, self.logger, self.mailbox)
        do throws(MailboxError) {
            try await mailbox.run {
                Publisher(configuration, mailbox: mailbox, logger: logger).run()
            }
        } catch {
            throw TransportConfigurationError("RabbitMQ: \(error)")
        }
        try Task.checkCancellation()
    }

    /// Publishes the messages and waits until the broker has confirmed them, or said what is wrong.
    public func deliver(_ batch: MessageBatch) async throws -> [Outcome] {
        try Task.checkCancellation()
        let job = DeliveryJob(batch, keyOrder: self.configuration.confirms.keyOrder)
        if let end = self.mailbox.post(job) { job.end(end) }
        defer { self.mailbox.remove(job) }
        return try await job.answer.wait()
    }

    /// Waits for the first connection, or for its failure.
    public func contact() async -> TransportHealth { await self.mailbox.firstStatus() }

    /// As ``contact()``, which is after the declarations that the configuration asks for; and then asks, over a connection of its own, whether
    /// the exchange is there, or the queue that all messages go to. Whether a message is routed, and whether the user may publish, shows only
    /// with a message.
    public func check() async -> TransportHealth {
        let health = await self.contact()
        return health.isUp ? await TopologyInquiry(configuration: self.configuration)() : health
    }

    /// Finishes the deliveries in flight, and closes the connection.
    public func close() async {
        await self.mailbox.close()
    }

    /// Yes, with the reason, and again when it is another one.
    public var logsItsContact: Bool { true }

    /// Whether there is a connection on which the broker takes messages.
    public var health: TransportHealth { self.mailbox.status }

    /// Where the messages go, without credentials.
    public var description: String { self.configuration.description }
}
