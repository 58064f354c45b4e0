import CRdKafka
import Outbox
import OutboxRuntime

/// Owns an `rd_kafka_t`. Used, and ended, by the transport's thread: ending it waits for librdkafka's threads.
@safe struct ProducerHandle: ~Copyable {
    let client: OpaquePointer
    /// Where librdkafka puts reports, errors, logs and statistics.
    private let events: OpaquePointer

    init(_ configuration: consuming ClientConfiguration) throws(TransportConfigurationError) {
        unsafe self.client = try configuration.makeProducer()
        unsafe self.events = unsafe rd_kafka_queue_get_main(self.client)
        unsafe rd_kafka_set_log_queue(self.client, self.events)
    }

    deinit {
        unsafe rd_kafka_queue_destroy(self.events)
        unsafe rd_kafka_destroy(self.client)
    }

    /// What deliveries may use until it is retired.
    func makeProducer(isSolitary: Bool) -> Producer {
        unsafe Producer(client: self.client, events: self.events, isSolitary: isSolitary)
    }

    /// The next event, waited for.
    func nextEvent(within time: Duration) -> ProducerEvent? {
        guard let event = unsafe rd_kafka_queue_poll(self.events, Int32(time.seconds * 1000)) else { return nil }
        return unsafe ProducerEvent(event)
    }

    /// How many records and events it still has.
    var remaining: Int { Int(unsafe rd_kafka_outq_len(self.client)) }

    /// Gives up records: those that wait, and if `isAll` those on the wire too. Their reports follow.
    func purge(isAll: Bool) {
        let flags = RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING | (isAll ? RD_KAFKA_PURGE_F_INFLIGHT : 0)
        unsafe rd_kafka_purge(self.client, flags)
    }

    /// Asks for the brokers.
    ///
    /// - Returns: What kept one from answering within that time; nil: one has answered.
    func probe(within time: Duration) -> rd_kafka_resp_err_t? {
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let code = unsafe rd_kafka_metadata(self.client, 0, nil, &metadata, Int32(time.seconds * 1000))
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { return code }
        unsafe rd_kafka_metadata_destroy(metadata)
        return nil
    }

    /// Which partitions of a topic have no leader.
    struct WithoutLeader {
        var partitions: Set<Int32> = []
        /// Whether others have one.
        var isPart = false
    }

    /// Asks which partitions of the topics in use have no leader.
    ///
    /// - Returns: By topic; empty: none, or no broker has answered within that time.
    func partitionsWithoutLeader(within time: Duration) -> [String: WithoutLeader] {
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let code = unsafe rd_kafka_metadata(self.client, 0, nil, &metadata, Int32(time.seconds * 1000))
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let answer = unsafe metadata else { return [:] }
        defer { unsafe rd_kafka_metadata_destroy(answer) }
        var found: [String: WithoutLeader] = [:]
        for number in unsafe 0..<Int(answer.pointee.topic_cnt) {
            let topic = unsafe answer.pointee.topics[number]
            guard let name = unsafe topic.topic else { continue }
            var without = WithoutLeader()
            for index in unsafe 0..<Int(topic.partition_cnt) {
                let partition = unsafe topic.partitions[index]
                if unsafe partition.leader < 0 || partition.err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE {
                    unsafe without.partitions.insert(partition.id)
                } else {
                    without.isPart = true
                }
            }
            if !without.partitions.isEmpty { unsafe found[String(cString: name)] = without }
        }
        return found
    }

    /// Asks for a topic.
    ///
    /// - Returns: What is wrong with it, or what kept a broker from answering within that time; nil: nothing.
    func probe(topic name: String, within time: Duration) -> rd_kafka_resp_err_t? {
        guard let topic = unsafe rd_kafka_topic_new(self.client, name, nil) else { return RD_KAFKA_RESP_ERR__FAIL }
        defer { unsafe rd_kafka_topic_destroy(topic) }
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let code = unsafe rd_kafka_metadata(self.client, 0, topic, &metadata, Int32(time.seconds * 1000))
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let answer = unsafe metadata else { return code }
        defer { unsafe rd_kafka_metadata_destroy(answer) }
        guard unsafe answer.pointee.topic_cnt > 0 else { return RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC }
        let defect = unsafe answer.pointee.topics[0].err
        return defect == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : defect
    }

    /// Why it is of no more use; nil: it is.
    var fatalError: (code: rd_kafka_resp_err_t, reason: String)? {
        var reason = [CChar](repeating: 0, count: 512)
        let code = unsafe rd_kafka_fatal_error(self.client, &reason, reason.count)
        if code == RD_KAFKA_RESP_ERR_NO_ERROR { return nil }
        return (code, String(decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
}
