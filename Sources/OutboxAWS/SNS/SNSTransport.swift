public import Logging
public import Outbox
import OutboxRuntime

/// Publishes messages to a topic of Amazon SNS.
///
/// ```swift
/// let topic = try SNSTransport("sns://orders.fifo?account=123456789012&region=eu-central-1")
/// let relay = Relay(postgres: postgres, routes: [.eventBus: .transport(topic)])
/// ```
///
/// A message is delivered when SNS has answered that it has it. What its subscriptions then do with it is theirs.
public final class SNSTransport: Transport {
    private let configuration: SNSConfiguration
    private let action: PublishBatch
    private let client: ServiceClient
    private let gatherer: BatchGatherer

    /// Creates a transport; nothing is connected before ``run()``.
    ///
    /// - Throws: What cannot be used or does not go together, and a region that is missing.
    public init(
        _ configuration: SNSConfiguration, logger: Logger = Logger(label: "outbox.sns")
    ) throws(TransportConfigurationError) {
        try configuration.validate()
        self.configuration = configuration
        self.client = try ServiceClient(.sns, configuration.aws, logger)
        self.action = PublishBatch(configuration: configuration, region: self.client.region)
        self.gatherer = BatchGatherer(linger: configuration.linger, fullCount: self.action.packer.maximumCount)
    }

    /// Creates a transport from an address, see ``SNSConfiguration/init(url:)``.
    ///
    /// - Throws: What is wrong with the address.
    public convenience init(
        _ url: String, logger: Logger = Logger(label: "outbox.sns")
    ) throws(TransportConfigurationError) {
        try self.init(SNSConfiguration(url: url), logger: logger)
    }

    /// Sends, and keeps credentials, until ``close()`` has finished or the task is cancelled. Runs once.
    public func run() async throws {
        try await self.client.run()
        try Task.checkCancellation()
    }

    /// Publishes the messages, and waits until SNS has answered.
    ///
    /// - Returns: `Outcome.reject` for what SNS never takes; `Outcome.retry` where the topic of a template is missing;
    ///   `Outcome.unavailable` where SNS is out of reach, the credentials are refused, or the one topic is missing.
    /// - Throws: `CancellationError`.
    public func deliver(_ batch: MessageBatch) async throws -> [Outcome] {
        try await self.gatherer.deliver(batch) { batch in
            try await self.client.deliver(batch, by: self.action, keyOrder: self.configuration.keyOrder)
        }
    }

    /// Waits until there are credentials and SNS has answered, or is out of reach.
    public func contact() async -> TransportHealth { await self.client.contact() }

    /// Asks SNS for the topic (`GetTopicAttributes`), where the configuration names one.
    public func check() async -> TransportHealth {
        guard let topic = self.configuration.topic.constant else { return await self.client.contact() }
        let region = self.client.region
        return await self.client.check("topic “\(topic)”") {
            let arn = try SNSEntry.arn(of: topic, self.configuration.account, region: region)
            let form = PublishBatch.form("GetTopicAttributes", [("TopicArn", arn)])
            _ = try await self.client.call("GetTopicAttributes", Array(form.utf8))
        }
    }

    /// Finishes the deliveries in flight, and closes the connections.
    public func close() async {
        self.gatherer.close()
        await self.client.close()
    }

    /// Whether SNS has taken the last messages, as far as is known.
    public var health: TransportHealth { self.client.health }

    /// The topic and the region.
    public var description: String { self.configuration.description }
}
