import CRdKafka
import Outbox
import OutboxRuntime

extension MockKafkaCluster {
    /// What was stored.
    package struct Record: Sendable, Hashable {
        package let partition: Int32
        package let offset: Int64
        package let key: [UInt8]?
        /// Nil: a null.
        package let value: [UInt8]?
        package let timestamp: Int64
        package let headers: [Header]

        package struct Header: Sendable, Hashable {
            package let name: String
            package let value: [UInt8]?

            package init(name: String, value: [UInt8]?) {
                self.name = name
                self.value = value
            }
        }
    }

    /// Reads a topic from its beginning to its end, partition by partition.
    package func records(of topic: String, partitions: Int = 4) async -> [Record] {
        let servers = self.bootstrapServers
        return await withCheckedContinuation { continuation in
            // It waits for brokers, so not on the pool.
            let isStarted = DedicatedThread.start {
                continuation.resume(returning: TopicReader(servers).read(topic, partitions: partitions))
            }
            precondition(isStarted, "no thread is left to read a topic")
        }
    }
}

/// Owns a consumer.
@safe private struct TopicReader: ~Copyable {
    private let client: OpaquePointer

    init(_ servers: String) {
        let configuration = unsafe rd_kafka_conf_new()
        var reason = [CChar](repeating: 0, count: 512)
        let properties = [
            ("bootstrap.servers", servers), ("group.id", "reader"), ("log_level", "0"),
            ("auto.offset.reset", "earliest"),
            ("enable.auto.commit", "false"), ("fetch.wait.max.ms", "10"),
        ]
        for (name, value) in properties {
            unsafe rd_kafka_conf_set(configuration, name, value, &reason, reason.count)
        }
        guard let client = unsafe rd_kafka_new(RD_KAFKA_CONSUMER, configuration, &reason, reason.count) else {
            preconditionFailure("librdkafka makes no consumer")
        }
        unsafe rd_kafka_poll_set_consumer(client)
        unsafe self.client = client
    }

    deinit {
        unsafe rd_kafka_consumer_close(self.client)
        unsafe rd_kafka_destroy(self.client)
    }

    func read(_ topic: String, partitions: Int) -> [MockKafkaCluster.Record] {
        let list = unsafe rd_kafka_topic_partition_list_new(Int32(partitions))
        defer { unsafe rd_kafka_topic_partition_list_destroy(list) }
        for partition in 0..<Int32(partitions) {
            let entry = unsafe rd_kafka_topic_partition_list_add(list, topic, partition)
            unsafe entry?.pointee.offset = 0
        }
        unsafe rd_kafka_assign(self.client, list)
        var records: [MockKafkaCluster.Record] = []
        // Where each partition's records end, and where reading has got to. What the library calls a partition's end may be that of another leader.
        var ends: [Int32: Int64] = [:]
        var places: [Int32: Int64] = [:]
        let limit = ContinuousClock.now + .seconds(30)
        while .now < limit {
            for partition in 0..<Int32(partitions) where ends[partition] == nil {
                guard let (low, high) = self.bounds(topic, partition) else { continue }
                ends[partition] = high
                places[partition] = max(low, places[partition] ?? 0)
            }
            if ends.count == partitions, ends.allSatisfy({ places[$0.key, default: 0] >= $0.value }) { break }
            guard let message = unsafe rd_kafka_consumer_poll(self.client, 500) else { continue }
            defer { unsafe rd_kafka_message_destroy(message) }
            switch unsafe message.pointee.err {
            case RD_KAFKA_RESP_ERR_NO_ERROR:
                records.append(unsafe Self.record(message))
                unsafe places[message.pointee.partition] = message.pointee.offset + 1
            default: break
            }
        }
        return records.sorted { ($0.partition, $0.offset) < ($1.partition, $1.offset) }
    }

    /// The offset of a partition's first record, and the one behind its last; nil: no leader has said.
    private func bounds(_ topic: String, _ partition: Int32) -> (low: Int64, high: Int64)? {
        var (low, high): (Int64, Int64) = (0, 0)
        let code = unsafe rd_kafka_query_watermark_offsets(self.client, topic, partition, &low, &high, 1000)
        return code == RD_KAFKA_RESP_ERR_NO_ERROR ? (low, high) : nil
    }

    private static func bytes(_ start: UnsafeRawPointer?, _ count: Int) -> [UInt8]? {
        guard let start = unsafe start else { return nil }
        return unsafe Array(UnsafeRawBufferPointer(start: start, count: count))
    }

    private static func record(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> MockKafkaCluster.Record {
        var list: OpaquePointer?
        var headers: [MockKafkaCluster.Record.Header] = []
        if unsafe rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list = unsafe list {
            var name: UnsafePointer<CChar>?
            var value: UnsafeRawPointer?
            var size = 0
            while unsafe rd_kafka_header_get_all(list, headers.count, &name, &value, &size)
                == RD_KAFKA_RESP_ERR_NO_ERROR, let name = unsafe name
            {
                headers.append(.init(name: unsafe String(cString: name), value: unsafe Self.bytes(value, size)))
            }
        }
        var kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let timestamp = unsafe rd_kafka_message_timestamp(message, &kind)
        return unsafe MockKafkaCluster.Record(
            partition: message.pointee.partition, offset: message.pointee.offset,
            key: Self.bytes(message.pointee.key, message.pointee.key_len),
            value: Self.bytes(message.pointee.payload, message.pointee.len), timestamp: timestamp, headers: headers)
    }
}
