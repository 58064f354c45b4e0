public import Logging
public import Outbox
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Writes messages to a stream of Amazon Kinesis Data Streams.
///
/// ```swift
/// let events = try KinesisTransport("kinesis://events?region=eu-central-1")
/// let relay = Relay(postgres: postgres, routes: [.eventBus: .transport(events)])
/// ```
///
/// A message is delivered when Kinesis has answered with the record's sequence number. Up to 500 records share a request, each of
/// another key: the next record of a key is sent when it is known what became of the one before.
public final class KinesisTransport: Transport {
    private let configuration: KinesisConfiguration
    private let action: PutRecords
    private let client: ServiceClient
    private let gatherer: BatchGatherer

    /// Creates a transport; nothing is connected before ``run()``.
    ///
    /// - Throws: What cannot be used or does not go together, and a region that is missing.
    public convenience init(
        _ configuration: KinesisConfiguration, logger: Logger = Logger(label: "outbox.kinesis")
    ) throws(TransportConfigurationError) {
        try self.init(configuration, logger: logger, surroundings: .process, clock: ServiceClock())
    }

    init(
        _ configuration: KinesisConfiguration, logger: Logger, surroundings: Surroundings, clock: ServiceClock
    ) throws(TransportConfigurationError) {
        try configuration.validate()
        self.configuration = configuration
        self.action = PutRecords(configuration: configuration)
        self.gatherer = BatchGatherer(linger: configuration.linger, fullCount: self.action.packer.maximumCount)
        self.client = try ServiceClient(
            .kinesis, configuration.aws, logger, surroundings: surroundings, clock: clock)
    }

    /// Creates a transport from an address, see ``KinesisConfiguration/init(url:)``.
    ///
    /// - Throws: What is wrong with the address.
    public convenience init(
        _ url: String, logger: Logger = Logger(label: "outbox.kinesis")
    ) throws(TransportConfigurationError) {
        try self.init(KinesisConfiguration(url: url), logger: logger)
    }

    /// Sends, and keeps credentials, until ``close()`` has finished or the task is cancelled. Runs once.
    public func run() async throws {
        try await self.client.run()
        try Task.checkCancellation()
    }

    /// Writes the messages, and waits until Kinesis has answered.
    ///
    /// - Returns: `Outcome.reject` for what Kinesis never takes; `Outcome.retry` where the stream of a template is missing;
    ///   `Outcome.unavailable` where Kinesis is out of reach, the credentials are refused, or the one stream is missing.
    /// - Throws: `CancellationError`.
    public func deliver(_ batch: MessageBatch) async throws -> [Outcome] {
        try await self.gatherer.deliver(batch) { batch in
            try await self.client.deliver(batch, by: self.action, keyOrder: .oneAtATime)
        }
    }

    /// Waits until there are credentials and Kinesis has answered, or is out of reach.
    public func contact() async -> TransportHealth { await self.client.contact() }

    /// Asks Kinesis for the stream (`DescribeStreamSummary`), where the configuration names one.
    public func check() async -> TransportHealth {
        guard let stream = self.configuration.stream.constant else { return await self.client.contact() }
        return await self.client.check("stream “\(stream)”") {
            let body = try await self.client.call("DescribeStreamSummary", JSONText.object(["StreamName": stream]))
            guard let answer = try? JSONDecoder().decode(StreamAnswer.self, from: Data(body)) else {
                throw ServiceFailure(status: 200, code: "", message: "what answers is not Kinesis")
            }
            let status = answer.summary.status
            if status != "ACTIVE", status != "UPDATING" {
                throw ServiceFailure(status: 200, code: "", message: "it is \(status)")
            }
        }
    }

    private struct StreamAnswer: Decodable {
        struct Summary: Decodable {
            let status: String
            private enum CodingKeys: String, CodingKey { case status = "StreamStatus" }
        }
        let summary: Summary
        private enum CodingKeys: String, CodingKey { case summary = "StreamDescriptionSummary" }
    }

    /// Finishes the deliveries in flight, and closes the connections.
    public func close() async {
        self.gatherer.close()
        await self.client.close()
    }

    /// Whether Kinesis has taken the last records, as far as is known.
    public var health: TransportHealth { self.client.health }

    /// The stream and the region.
    public var description: String { self.configuration.description }
}
