package import CRdKafka
import CRdKafkaMock
import Outbox
import Synchronization

/// Brokers of librdkafka's own, inside this process: they speak Kafka's protocol on loopback, and fail as they are told to.
///
/// They know no limits of size and check no sequence numbers.
//
// Sendable because librdkafka's functions may be called from any thread, and the pointers do not change after init.
@safe package final class MockKafkaCluster: @unchecked Sendable {
    /// What a broker is asked.
    package enum Request: Int16 {
        case produce = 0
        case metadata = 3
        case initialiseProducer = 22
    }

    private let host: OpaquePointer
    private let cluster: OpaquePointer
    /// Where the brokers listen.
    package let addresses: [String]
    /// The ports of brokers that are down.
    private let heldPorts = Mutex<[Int: HeldPort]>([:])

    /// Starts brokers, numbered from 1, that have the topics as they are asked for.
    package init(brokers: Int = 3) {
        let configuration = unsafe rd_kafka_conf_new()
        var reason = [CChar](repeating: 0, count: 512)
        // The brokers' own log is of no interest.
        unsafe rd_kafka_conf_set(configuration, "log_level", "0", &reason, reason.count)
        guard let host = unsafe rd_kafka_new(RD_KAFKA_PRODUCER, configuration, &reason, reason.count),
            let cluster = unsafe rd_kafka_mock_cluster_new(host, Int32(brokers))
        else { preconditionFailure("librdkafka has no mock cluster") }
        unsafe self.host = host
        unsafe self.cluster = cluster
        self.addresses = unsafe String(cString: rd_kafka_mock_cluster_bootstraps(cluster)).split(separator: ",")
            .map(String.init)
    }

    deinit {
        unsafe rd_kafka_mock_cluster_destroy(self.cluster)
        unsafe rd_kafka_destroy(self.host)
    }

    /// The brokers' addresses, as `bootstrap.servers` has them.
    package var bootstrapServers: String { self.addresses.joined(separator: ",") }

    /// Creates a topic.
    package func create(_ topic: String, partitions: Int = 4, replicas: Int = 1) {
        unsafe rd_kafka_mock_topic_create(self.cluster, topic, Int32(partitions), Int32(replicas))
    }

    /// Lets metadata say that something is wrong with a topic.
    package func fail(_ topic: String, with code: rd_kafka_resp_err_t) {
        unsafe rd_kafka_mock_topic_set_error(self.cluster, topic, code)
    }

    /// Moves a partition to another broker.
    package func lead(_ topic: String, partition: Int, by broker: Int) {
        unsafe rd_kafka_mock_partition_set_leader(self.cluster, topic, Int32(partition), Int32(broker))
    }

    /// Ends a broker's connections, and lets it take none.
    package func stop(_ broker: Int) {
        unsafe rd_kafka_mock_broker_set_down(self.cluster, Int32(broker))
        // A broker that starts again and finds its port taken, as by a connection of another test, ends the process.
        guard let port = self.addresses[broker - 1].split(separator: ":").last.flatMap({ Int($0) }) else { return }
        self.heldPorts.withLock { $0[broker] = HeldPort(port) }
    }

    /// Lets a broker take connections again.
    package func start(_ broker: Int) {
        self.heldPorts.withLock { $0[broker] = nil }
        unsafe rd_kafka_mock_broker_set_up(self.cluster, Int32(broker))
    }

    /// Stops or starts all brokers.
    package func setAll(up: Bool) {
        for broker in 1...self.addresses.count { if up { self.start(broker) } else { self.stop(broker) } }
    }

    /// How long a broker takes to answer.
    package func delay(_ broker: Int, by time: Duration) {
        unsafe rd_kafka_mock_broker_set_rtt(self.cluster, Int32(broker), Int32(time.seconds * 1000))
    }

    /// Lets the next requests of a kind fail; an error of transport ends the connection instead.
    package func push(_ codes: [rd_kafka_resp_err_t], for request: Request = .produce) {
        unsafe rd_kafka_mock_push_request_errors_array(self.cluster, request.rawValue, codes.count, codes)
    }

    /// Takes back what was pushed and has not happened.
    package func clear(_ request: Request = .produce) {
        unsafe rd_kafka_mock_clear_request_errors(self.cluster, request.rawValue)
    }
}
