import KafkaTesting
import Logging
import Outbox
import OutboxKafka

/// Transports to brokers of a test.
enum TransportUnderTest {
    static func make(
        _ servers: String, _ change: (inout KafkaConfiguration) -> Void = { _ in }
    ) throws -> KafkaTransport {
        var configuration = KafkaConfiguration(brokers: servers.split(separator: ",").map(String.init))
        configuration.delivery.contactTimeout = .milliseconds(500)
        // So that several records share a request, of which tests make one fail.
        configuration.delivery.linger = .milliseconds(2)
        configuration.properties["reconnect.backoff.ms"] = "1"
        configuration.properties["reconnect.backoff.max.ms"] = "50"
        configuration.properties["retry.backoff.ms"] = "5"
        change(&configuration)
        var logger = Logger(label: "outbox.kafka.test")
        logger.logLevel = .critical
        return try KafkaTransport(configuration, logger: logger)
    }

    /// Runs a closure with a transport that runs, and closes it.
    static func with(
        _ cluster: MockKafkaCluster, _ change: (inout KafkaConfiguration) -> Void = { _ in },
        _ body: (KafkaTransport) async throws -> Void
    ) async throws {
        try await self.with(try self.make(cluster.bootstrapServers, change), body)
    }

    static func with(_ transport: KafkaTransport, _ body: (KafkaTransport) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await transport.run() }
            defer { group.cancelAll() }
            try await body(transport)
            await transport.close()
            try await group.waitForAll()
        }
    }
}
