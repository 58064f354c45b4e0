import CRdKafka
import Outbox
import OutboxRuntime

/// Asks brokers whether they have a topic, with a client of its own. It asks for all topics, because a broker may create one that it is
/// asked for.
struct TopicInquiry: Sendable {
    let topic: String
    let brokers: String
    let properties: ProducerProperties
    /// How long a broker may take to answer.
    let patience: Duration

    /// Asks. Returns at once when the task is cancelled.
    func callAsFunction() async -> TransportHealth {
        let answer = Answer<TransportHealth>()
        guard DedicatedThread.start({ answer.give(.success(self.ask())) }) else {
            return .down("the system has no thread left")
        }
        return (try? await answer.wait()) ?? .down("cancelled")
    }

    private func ask() -> TransportHealth {
        do throws(TransportConfigurationError) {
            let configuration = try ClientConfiguration(self.properties)
            try configuration.set("bootstrap.servers", to: self.brokers)
            let handle = try ProducerHandle(configuration)
            switch handle.find(self.topic, within: self.patience) {
            case nil: return .up
            case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC?:
                return .down("the topic “\(self.topic)” is not there, or may not be seen by this user")
            case let code?: return .down("the topic “\(self.topic)”: \(errorText(code))")
            }
        } catch {
            return .down(error.description)
        }
    }
}

extension ProducerHandle {
    /// Looks for a topic among all that there are.
    ///
    /// - Returns: What is wrong with it, or what kept a broker from answering within that time; nil: nothing.
    fileprivate func find(_ name: String, within time: Duration) -> rd_kafka_resp_err_t? {
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let code = unsafe rd_kafka_metadata(self.client, 1, nil, &metadata, Int32(time.seconds * 1000))
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let answer = unsafe metadata else { return code }
        defer { unsafe rd_kafka_metadata_destroy(answer) }
        for number in unsafe 0..<Int(answer.pointee.topic_cnt) {
            let topic = unsafe answer.pointee.topics[number]
            guard let text = unsafe topic.topic, unsafe String(cString: text) == name else { continue }
            let defect = unsafe topic.err
            return defect == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : defect
        }
        return RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC
    }
}
