public import Logging
public import Outbox
import OutboxRuntime

/// Sends messages to Amazon SQS.
///
/// ```swift
/// let queue = try SQSTransport("sqs://orders.fifo?region=eu-central-1")
/// let relay = Relay(postgres: postgres, routes: [.eventBus: .transport(queue)])
/// ```
///
/// A message is delivered when SQS has answered that it has it. Up to 10 messages share a request, as many as wait.
public final class SQSTransport: Transport {
    private let configuration: SQSConfiguration
    private let action: SendMessageBatch
    private let client: ServiceClient
    private let gatherer: BatchGatherer
    private let queues: QueueDirectory

    /// Creates a transport; nothing is connected before ``run()``.
    ///
    /// - Throws: What cannot be used or does not go together, and a region that is missing.
    public convenience init(
        _ configuration: SQSConfiguration, logger: Logger = Logger(label: "outbox.sqs")
    ) throws(TransportConfigurationError) {
        try self.init(configuration, logger: logger, surroundings: .process, clock: ServiceClock())
    }

    init(
        _ configuration: SQSConfiguration, logger: Logger, surroundings: Surroundings, clock: ServiceClock
    ) throws(TransportConfigurationError) {
        try configuration.validate()
        self.configuration = configuration
        self.action = SendMessageBatch(queue: configuration.queue, content: configuration.content)
        self.gatherer = BatchGatherer(linger: configuration.linger, fullCount: self.action.packer.maximumCount)
        self.client = try ServiceClient(
            .sqs, configuration.aws, logger, surroundings: surroundings, clock: clock)
        self.queues = QueueDirectory(
            self.client, account: configuration.account, hasFixedQueue: self.action.hasFixedTarget)
    }

    /// Creates a transport from an address, see ``SQSConfiguration/init(url:)``.
    ///
    /// - Throws: What is wrong with the address.
    public convenience init(
        _ url: String, logger: Logger = Logger(label: "outbox.sqs")
    ) throws(TransportConfigurationError) {
        try self.init(SQSConfiguration(url: url), logger: logger)
    }

    /// Sends, and keeps credentials, until ``close()`` has finished or the task is cancelled. Runs once.
    public func run() async throws {
        try await self.client.run()
        try Task.checkCancellation()
    }

    /// Sends the messages, and waits until SQS has answered.
    ///
    /// The header `sqs-delay`, a time such as `30s`, says how long the message is hidden at first, and is not delivered.
    ///
    /// - Returns: `Outcome.reject` for what SQS never takes; `Outcome.retry` where the queue of a template is missing;
    ///   `Outcome.unavailable` where SQS is out of reach, the credentials are refused, or the one queue is missing.
    /// - Throws: `CancellationError`.
    public func deliver(_ batch: MessageBatch) async throws -> [Outcome] {
        try await self.gatherer.deliver(batch) { batch in
            try await self.client.deliver(
                batch, by: self.action, keyOrder: self.configuration.keyOrder,
                find: { try await self.queues.addresses(of: $0) }, forget: { self.queues.forget($0) })
        }
    }

    /// Waits until there are credentials and SQS has answered, or is out of reach.
    public func contact() async -> TransportHealth { await self.client.contact() }

    /// Looks up the queue, where the configuration names one, and asks for an attribute of it (`GetQueueUrl`, `GetQueueAttributes`).
    public func check() async -> TransportHealth {
        guard let queue = self.configuration.queue.constant else { return await self.client.contact() }
        return await self.client.check("queue “\(queue)”") {
            let url = queue.contains("://") ? queue : try await self.queues.url(of: queue)
            do {
                _ = try await self.client.call("GetQueueAttributes", JSONText.object(["QueueUrl": url]))
            } catch let failure as ServiceFailure where failure.meaning == .forbidden && !queue.contains("://") {
                // Found by its name; a right to read attributes is not needed to send.
            }
        }
    }

    /// Finishes the deliveries in flight, and closes the connections.
    public func close() async {
        self.gatherer.close()
        await self.client.close()
    }

    /// Whether SQS has taken the last messages, as far as is known.
    public var health: TransportHealth { self.client.health }

    /// The queue and the region.
    public var description: String { self.configuration.description }
}
