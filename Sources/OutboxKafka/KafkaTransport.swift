public import Logging
public import Outbox
import OutboxRuntime

/// Delivers messages to Apache Kafka, with librdkafka.
///
/// ```swift
/// let events = try KafkaTransport("kafka://broker-1:9092,broker-2:9092?topic=events")
/// let relay = Relay(postgres: postgres, routes: [.eventBus: .transport(events)])
/// ```
///
/// A message is delivered when all in-sync replicas of its partition have it. The producer is idempotent: what it repeats by
/// itself is stored once. Messages of one key go to one partition and arrive in order, also through errors.
///
/// One thread of its own takes what librdkafka has to say. ``deliver(_:)`` never waits for a socket: where there is no
/// room, or no broker, its task is suspended.
public final class KafkaTransport: Transport {
    private let configuration: KafkaConfiguration
    private let properties: ProducerProperties
    private let template: RecordTemplate
    private let logger: Logger
    private let board = DeliveryBoard()

    /// Creates a transport; nothing is connected before ``run()``.
    ///
    /// - Throws: A `TransportConfigurationError` for what is missing, contradictory, unknown to librdkafka, or would break
    ///   the guarantees.
    public init(
        _ configuration: KafkaConfiguration, logger: Logger = Logger(label: "outbox.kafka")
    ) throws(TransportConfigurationError) {
        self.configuration = configuration
        self.properties = try ProducerProperties(configuration)
        self.template = try RecordTemplate(configuration)
        self.logger = logger
        // Combinations are refused, and files read, only when a client is made. This one has no broker to call.
        _ = try ProducerHandle(try ClientConfiguration(self.properties))
    }

    /// Creates a transport for an address; see ``KafkaConfiguration/init(url:)``.
    ///
    /// - Throws: A `TransportConfigurationError`.
    public convenience init(
        _ url: String, logger: Logger = Logger(label: "outbox.kafka")
    ) throws(TransportConfigurationError) {
        try self.init(KafkaConfiguration(url: url), logger: logger)
    }

    /// The brokers and the topic, without credentials.
    public var description: String { self.configuration.description }

    /// Yes, with the reason, and again when it is another one.
    public var logsItsContact: Bool { true }

    /// Whether a broker can be reached.
    public var health: TransportHealth { self.board.health }

    /// Holds a producer until ``close()`` has finished or the task is cancelled. Runs once: make another transport for another relay,
    /// and for another run.
    ///
    /// - Throws: A `TransportConfigurationError` if it runs or has run already, or the system has no thread left.
    public func run() async throws {
        guard self.board.begin() else { throw TransportConfigurationError("Kafka: a transport runs once") }
        let (properties, configuration, board, logger) = (
            self.properties, self.configuration, self.board, self.logger
        )
        let isStarted = DedicatedThread.start {
            var loop = ProducerLoop(
                properties: properties, configuration: configuration, board: board, logger: logger)
            loop.run()
        }
        guard isStarted else {
            self.board.end()
            throw TransportConfigurationError("the system has no thread for a Kafka transport")
        }
        await self.board.ended.wait()
        // Ending librdkafka may take a moment, and no delivery waits for it: what deliveries have lent is kept without them.
        if Task.isCancelled { self.board.order(.cancel) }
    }

    /// Waits until a broker has answered, for the contact timeout at most.
    public func contact() async -> TransportHealth { await self.board.contact() }

    /// Delivers a batch. Waits while there is no room; while brokers are out of reach, for the contact timeout only.
    ///
    /// Two headers of a message are about its record, and are not delivered: `kafka-topic` is its topic, and
    /// `kafka-partition` its partition.
    ///
    /// - Returns: `Outcome.reject` for messages that no broker takes, such as those that are too large or have no
    ///   topic; `Outcome.retry` where the topic is unknown or refused; `Outcome.unavailable` where no
    ///   broker can be reached or none confirms.
    /// - Throws: `CancellationError`.
    public func deliver(_ batch: MessageBatch) async throws -> [Outcome] {
        let records = BatchRecords(batch, template: self.template)
        let reports = BatchReports(batch, fixedTopic: records.fixedTopic)
        try self.board.add(reports)
        defer {
            self.board.remove(reports)
            reports.close()
        }
        return try await withTaskCancellationHandler {
            var delivery = BatchDelivery(
                batch, records, template: self.template, board: self.board, reports: reports)
            return try await delivery.run()
        } onCancel: {
            reports.cancel()
        }
    }

    /// Waits for what is under way, for the close timeout at most, and ends the producer.
    public func close() async {
        self.board.order(.close)
        await self.board.ended.wait()
    }
}
