import ArgumentParser
import BenchmarkReferences
import Outbox
import OutboxKafka

/// `outbox-bench kafka`: the transport to Kafka.
struct BenchKafkaCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "kafka",
        abstract: "To Kafka with acks=all, beside a program in C with librdkafka; and all the way from Postgres.",
        discussion: """
            The brokers are three of librdkafka's own, which run in this process and keep the newest messages in memory; \
            --brokers names others, to whose topic “outbox-bench” is written.

            EXAMPLES:
              outbox-bench kafka
              outbox-bench kafka --brokers kafka-1:9092,kafka-2:9092 --messages 1000000
            """)

    @OptionGroup
    var options: BenchOptions

    @OptionGroup
    var load: BrokerLoadOptions

    @Option(help: ArgumentHelp("Brokers to use instead of the benchmark's own.", valueName: "hosts"))
    var brokers: String?

    func measure(_ harness: Harness) async throws -> [Comparison] {
        if let brokers { return try await self.load.benchmark(Kafka(servers: brokers)).measure(harness) }
        let cluster = try MockKafkaCluster(topic: Kafka.topic)
        defer { withExtendedLifetime(cluster) {} }
        return try await self.load.benchmark(Kafka(servers: cluster.bootstrapServers)).measure(harness)
    }

    private struct Kafka: BenchBroker {
        static let topic = "outbox-bench"

        let servers: String

        var name: String { "Kafka" }
        var referenceName: String { "librdkafka in C" }

        func transport(window: Int) throws -> any Transport {
            var configuration = KafkaConfiguration(
                brokers: self.servers.split(separator: ",").map(String.init), topic: "outbox-bench")
            configuration.delivery.maximumInFlight = window
            return try KafkaTransport(configuration, logger: .quiet)
        }

        func reference(messages: Int, size: Int, window: Int) async throws -> Reference.Outcome {
            try await Reference.run(self.referenceName) {
                unsafe reference_kafka(
                    self.servers, Self.topic, Int64(messages), Int32(size), 10_000, Int32(window),
                    KafkaConfiguration.Delivery().linger.inSeconds * 1000)
            }
        }

        /// Topics are read by others; what was written is left.
        func empty() async throws {}
    }
}

/// Three brokers of librdkafka's own, inside this process.
@safe private final class MockKafkaCluster: Sendable {
    private nonisolated(unsafe) let cluster: OpaquePointer

    /// - Parameter topic: Has four partitions.
    init(topic: String) throws {
        guard let cluster = unsafe reference_kafka_brokers_start(3, topic, 4) else {
            throw BenchFailure("librdkafka starts no brokers")
        }
        unsafe self.cluster = cluster
    }

    deinit { unsafe reference_kafka_brokers_stop(self.cluster) }

    /// The brokers' addresses.
    var bootstrapServers: String { unsafe String(cString: reference_kafka_brokers_addresses(self.cluster)) }
}
