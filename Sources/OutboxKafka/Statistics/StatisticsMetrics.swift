import Metrics

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The figures of librdkafka's statistics that are worth an eye, as metrics.
struct StatisticsMetrics: Sendable {
    private let queued: Gauge
    private let queuedBytes: Gauge
    private let transmitted: Gauge
    private let retried: Gauge
    private let connected: Gauge
    private let roundTrip: Metrics.Timer

    init(cluster: String) {
        let dimensions = [("cluster", cluster)]
        self.queued = Gauge(label: "outbox_kafka_records_queued", dimensions: dimensions)
        self.queuedBytes = Gauge(label: "outbox_kafka_bytes_queued", dimensions: dimensions)
        self.transmitted = Gauge(label: "outbox_kafka_records_transmitted", dimensions: dimensions)
        self.retried = Gauge(label: "outbox_kafka_requests_retried", dimensions: dimensions)
        self.connected = Gauge(label: "outbox_kafka_brokers_connected", dimensions: dimensions)
        self.roundTrip = Metrics.Timer(label: "outbox_kafka_round_trip", dimensions: dimensions)
    }

    /// Records what a report says; nothing where it cannot be read.
    func record(_ json: String) {
        guard let statistics = KafkaStatistics(json: json) else { return }
        self.queued.record(statistics.queued)
        self.queuedBytes.record(statistics.queuedBytes)
        self.transmitted.record(statistics.transmitted)
        self.retried.record(statistics.retriedRequests)
        self.connected.record(statistics.connectedBrokers)
        if let microseconds = statistics.roundTripMicroseconds { self.roundTrip.recordMicroseconds(microseconds) }
    }
}

/// What is read of librdkafka's statistics (STATISTICS.md of librdkafka).
struct KafkaStatistics: Sendable, Hashable {
    var queued: Int
    var queuedBytes: Int
    /// Since the producer was made.
    var transmitted: Int
    /// Since the producer was made.
    var retriedRequests: Int
    var connectedBrokers: Int
    /// The longest average of a broker that was asked anything.
    var roundTripMicroseconds: Int?

    private struct Document: Decodable {
        struct Broker: Decodable {
            struct Window: Decodable {
                let avg: Int
                let cnt: Int
            }
            let state: String
            let txretries: Int
            let rtt: Window?
        }
        let queued: Int
        let queuedBytes: Int
        let transmitted: Int
        let brokers: [String: Broker]

        enum CodingKeys: String, CodingKey {
            case queued = "msg_cnt"
            case queuedBytes = "msg_size"
            case transmitted = "txmsgs"
            case brokers
        }
    }

    init?(json: String) {
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(json.utf8)) else { return nil }
        self.queued = document.queued
        self.queuedBytes = document.queuedBytes
        self.transmitted = document.transmitted
        self.retriedRequests = document.brokers.values.reduce(0) { $0 + $1.txretries }
        self.connectedBrokers = document.brokers.values.count { $0.state == "UP" }
        let roundTrips = document.brokers.values.compactMap(\.rtt).filter { $0.cnt > 0 }
        self.roundTripMicroseconds = roundTrips.map(\.avg).max()
    }
}
