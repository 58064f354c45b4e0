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
    private let producer = SharedProducer()

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
    public var health: TransportHealth { self.producer.mailbox.status }

    /// Holds a producer until ``close()`` has finished or the task is cancelled. Runs once: make another transport for another relay,
    /// and for another run.
    ///
    /// - Throws: A `TransportConfigurationError` if it runs or has run already, or the system has no thread left.
    public func run() async throws {
        let (properties, configuration, producer, logger) = (
            self.properties, self.configuration, self.producer, self.logger
        )
        do throws(MailboxError) {
            // Ending librdkafka may take a moment, for which a cancelled run does not wait: what deliveries have lent is kept without them.
            try await producer.mailbox.run {
                var loop = ProducerLoop(
                    properties: properties, configuration: configuration, producer: producer, logger: logger)
                loop.run()
            }
        } catch {
            throw TransportConfigurationError("Kafka: \(error)")
        }
    }

    /// What librdkafka's queue has room for, so that no batch waits for itself.
    public var batchLimit: BatchLimit {
        BatchLimit(
            messages: self.configuration.delivery.maximumInFlight, bytes: self.configuration.delivery.maximumBytesInFlight)
    }

    /// Waits until a broker has answered, for the contact timeout at most.
    public func contact() async -> TransportHealth { await self.producer.mailbox.firstStatus() }

    /// As ``contact()``; and then asks, with a client of its own, whether the topic is there that all messages go to.
    public func check() async -> TransportHealth {
        let health = await self.contact()
        guard health.isUp, let topic = self.configuration.topic.constant else { return health }
        let inquiry = TopicInquiry(
            topic: topic, brokers: self.configuration.brokers.joined(separator: ","), properties: self.properties,
            patience: self.configuration.delivery.contactTimeout)
        return await inquiry()
    }

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
        switch self.producer.mailbox.add(reports) {
        case nil: break
        case .closed: return Array(repeating: .unavailable("the transport is closed"), count: batch.count)
        case .cancelled: throw CancellationError()
        }
        defer {
            self.producer.remove(reports)
            reports.close()
        }
        return try await withTaskCancellationHandler {
            var delivery = BatchDelivery(
                batch, records, template: self.template, sharedProducer: self.producer, reports: reports)
            return try await delivery.run()
        } onCancel: {
            reports.cancel()
        }
    }

    /// Waits for what is under way, for the close timeout at most, and ends the producer.
    public func close() async {
        await self.producer.mailbox.close()
    }
}
