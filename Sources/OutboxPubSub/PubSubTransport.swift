public import Logging
public import Outbox
import OutboxHTTP
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Delivers messages to Google Cloud Pub/Sub, over gRPC.
///
/// ```swift
/// let events = try PubSubTransport("pubsub://my-project/events")
/// let relay = Relay(postgres: postgres, routes: [.eventBus: .transport(events)])
/// ```
///
/// A message is delivered when the service has confirmed it. Messages of one key have one ordering key, and are published in order, also
/// through errors.
public final class PubSubTransport: Transport {
    private let configuration: PubSubConfiguration
    private let publisher: Publisher
    private let client: HTTPClient
    /// Talks to those that issue tokens; nil: no token is shown.
    private let tokenClient: HTTPClient?
    private let tokens: TokenKeeper?

    /// Creates a transport; nothing is connected before ``run()``. Files of credentials are read.
    ///
    /// - Throws: A `TransportConfigurationError` for what is missing, contradictory or cannot be read.
    public convenience init(
        _ configuration: PubSubConfiguration, logger: Logger = Logger(label: "outbox.pubsub")
    ) throws(TransportConfigurationError) {
        try self.init(configuration, environment: ProcessInfo.processInfo.environment, logger: logger)
    }

    /// Creates a transport for an address; see ``PubSubConfiguration/init(url:)``.
    ///
    /// - Throws: A `TransportConfigurationError`.
    public convenience init(
        _ url: String, logger: Logger = Logger(label: "outbox.pubsub")
    ) throws(TransportConfigurationError) {
        try self.init(PubSubConfiguration(url: url), logger: logger)
    }

    /// - Parameter environment: The variables of the process.
    package init(
        _ configuration: PubSubConfiguration, environment: [String: String], logger: Logger
    ) throws(TransportConfigurationError) {
        if let defect = configuration.defect { throw TransportConfigurationError(defect) }
        let endpoint = try PubSubEndpoint(configuration.endpoint, environment: environment)
        self.configuration = configuration
        let client = try HTTPClient(HTTPConfiguration(configuration, endpoint: endpoint))
        self.client = client
        var tokenClient: HTTPClient?
        var tokens: TokenKeeper?
        if !endpoint.isPlain {
            let sources = try TokenSources(configuration, environment: environment)
            if let found = try sources.source(of: configuration.credentials) {
                tokenClient = found.client
                tokens = TokenKeeper(found.source, quotaProject: found.quotaProject, logger: logger)
            }
        }
        self.tokenClient = tokenClient
        self.tokens = tokens
        self.publisher = Publisher(configuration, endpoint: endpoint, client: client, tokens: tokens)
    }

    /// The project and the topic.
    public var description: String { self.configuration.description }

    /// What the last answers have said.
    public var health: TransportHealth { self.publisher.health }

    /// Keeps connections and a token until ``close()`` has finished or the task is cancelled. Runs once: make another transport for
    /// another relay, and for another run.
    ///
    /// - Throws: A `TransportConfigurationError` if it runs or has run already, or the system has no thread or descriptor left.
    public func run() async throws {
        defer { self.publisher.note(.closed) }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            let (client, tokenClient, tokens) = (self.client, self.tokenClient, self.tokens)
            group.addTask {
                try await Self.run(client)
                return true
            }
            if let tokenClient, let tokens {
                group.addTask {
                    try await Self.run(tokenClient)
                    return false
                }
                group.addTask {
                    await tokens.run()
                    return false
                }
            }
            defer { group.cancelAll() }
            // The others serve the first one.
            while let isMain = try await group.next() {
                if isMain { return }
            }
        }
    }

    private static func run(_ client: HTTPClient) async throws {
        do throws(MailboxError) {
            try await client.run()
        } catch {
            throw TransportConfigurationError("Pub/Sub: \(error)")
        }
    }

    /// Asks the service for the topic, or, where messages have topics of their own, for one that need not be there.
    public func contact() async -> TransportHealth { await TopicCheck(self.publisher, self.configuration)() }

    /// Asks the service for the topic, and where it may not be looked at, whether it may be published to.
    ///
    /// - Returns: Up where messages can be published, as far as is known: of a topic that messages name, nothing is.
    public func check() async -> TransportHealth { await self.contact() }

    /// Publishes a batch.
    ///
    /// - Returns: `Outcome.reject` for messages that the service never takes, such as those that are too large, have too many attributes
    ///   or no topic; `Outcome.retry` where a topic that comes from the message is unknown or refused;
    ///   `Outcome.unavailable` where the service cannot be reached or takes nothing.
    /// - Throws: `CancellationError`.
    public func deliver(_ batch: MessageBatch) async throws -> [Outcome] {
        if self.publisher.health == .closed {
            return Array(repeating: .unavailable("the transport is closed"), count: batch.count)
        }
        let access: Access
        do throws(TokenFailure) {
            access = try await self.publisher.access()
        } catch {
            try Task.checkCancellation()
            self.publisher.note(.down(error.description))
            return Array(repeating: .unavailable(error.description), count: batch.count)
        }
        try Task.checkCancellation()
        return try await PublishJob(batch, publisher: self.publisher, access: access).run()
    }

    /// Lets what is under way finish, and ends.
    public func close() async {
        await self.client.close()
        self.publisher.note(.closed)
    }
}
