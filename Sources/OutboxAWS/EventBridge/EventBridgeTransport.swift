public import Logging
public import Outbox
import OutboxRuntime

/// Sends messages to an event bus of Amazon EventBridge.
///
/// ```swift
/// let bus = try EventBridgeTransport("eventbridge://shop?region=eu-central-1&source=shop")
/// let relay = Relay(postgres: postgres, routes: [.eventBus: .transport(bus)])
/// ```
///
/// A message is delivered when EventBridge has answered that it has it. What its rules then do with it is theirs.
public final class EventBridgeTransport: Transport {
    private let configuration: EventBridgeConfiguration
    private let action: PutEvents
    private let client: ServiceClient
    private let gatherer: BatchGatherer

    /// Creates a transport; nothing is connected before ``run()``.
    ///
    /// - Throws: What cannot be used or does not go together, and a region that is missing.
    public init(
        _ configuration: EventBridgeConfiguration, logger: Logger = Logger(label: "outbox.eventbridge")
    ) throws(TransportConfigurationError) {
        try configuration.validate()
        self.configuration = configuration
        self.client = try ServiceClient(.eventBridge, configuration.aws, logger)
        self.action = PutEvents(configuration: configuration)
        self.gatherer = BatchGatherer(linger: configuration.linger, fullCount: self.action.packer.maximumCount)
    }

    /// Creates a transport from an address, see ``EventBridgeConfiguration/init(url:)``.
    ///
    /// - Throws: What is wrong with the address.
    public convenience init(
        _ url: String, logger: Logger = Logger(label: "outbox.eventbridge")
    ) throws(TransportConfigurationError) {
        try self.init(EventBridgeConfiguration(url: url), logger: logger)
    }

    /// Sends, and keeps credentials, until ``close()`` has finished or the task is cancelled. Runs once.
    public func run() async throws {
        try await self.client.run()
        try Task.checkCancellation()
    }

    /// Sends the events, and waits until EventBridge has answered.
    ///
    /// - Returns: `Outcome.reject` for what EventBridge never takes; `Outcome.retry` where the bus of a template is missing;
    ///   `Outcome.unavailable` where EventBridge is out of reach, the credentials are refused, or the one bus is missing.
    /// - Throws: `CancellationError`.
    public func deliver(_ batch: MessageBatch) async throws -> [Outcome] {
        try await self.gatherer.deliver(batch) { batch in
            try await self.client.deliver(batch, by: self.action, keyOrder: .oneAtATime)
        }
    }

    /// Waits until there are credentials and EventBridge has answered, or is out of reach.
    public func contact() async -> TransportHealth { await self.client.contact() }

    /// Asks EventBridge for the bus (`DescribeEventBus`), where the configuration names one.
    public func check() async -> TransportHealth {
        guard let bus = self.configuration.bus.constant else { return await self.client.contact() }
        return await self.client.check("bus “\(bus)”") {
            _ = try await self.client.call("DescribeEventBus", JSONText.object(["Name": bus]))
        }
    }

    /// Finishes the deliveries in flight, and closes the connections.
    public func close() async {
        self.gatherer.close()
        await self.client.close()
    }

    /// Whether EventBridge has taken the last messages, as far as is known.
    public var health: TransportHealth { self.client.health }

    /// The bus and the region.
    public var description: String { self.configuration.description }
}
