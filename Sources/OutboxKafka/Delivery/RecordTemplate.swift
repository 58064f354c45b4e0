import Outbox

/// How a message becomes a record.
struct RecordTemplate: Sendable {
    /// What a record has besides payload and timestamp.
    struct Record {
        let topic: String
        /// Nil: as the key says.
        let partition: Int32?
        let key: String?
        /// In the order of their names, without the message's id.
        let headers: [(name: String, value: String)]
        /// Whether every message of the destination goes to that topic, and chooses no partition for itself.
        let isAddressFixed: Bool

        /// Whether librdkafka keeps the order of two records of one key.
        func isOrdered(with other: Record) -> Bool {
            self.topic == other.topic && self.partition == other.partition
        }
    }

    /// Why a message can never become a record.
    struct Refusal: Error {
        let reason: String
    }

    /// Headers by which a message chooses for itself; they are not delivered.
    private enum Override {
        static let topic = "kafka-topic"
        static let partition = "kafka-partition"
    }

    private let topic: MessageTemplate
    private let key: MessageTemplate?
    /// The topic, where it is the same for all messages that do not choose for themselves.
    private let constantTopic: String?
    private let hasFixedTopic: Bool
    let idHeader: String?
    let enqueuedAtHeader: String?
    let timestamp: KafkaConfiguration.Timestamp
    let isEmptyPayloadNull: Bool

    init(_ configuration: KafkaConfiguration) throws(TransportConfigurationError) {
        self.topic = configuration.topic
        self.key = configuration.key
        self.constantTopic = configuration.topic.constant
        self.hasFixedTopic = !configuration.topic.variesWithinDestination
        self.idHeader = configuration.record.idHeader
        self.enqueuedAtHeader = configuration.record.enqueuedAtHeader
        self.timestamp = configuration.record.timestamp
        self.isEmptyPayloadNull = configuration.record.isEmptyPayloadNull
        if let constantTopic, let defect = TopicName.defect(of: constantTopic) {
            throw TransportConfigurationError(defect)
        }
        if self.idHeader?.isEmpty == true { throw TransportConfigurationError("the name of the id’s header is empty") }
        if self.enqueuedAtHeader?.isEmpty == true {
            throw TransportConfigurationError("the name of the header with the time of enqueueing is empty")
        }
    }

    /// Whether records have the keys that messages are ordered by.
    var isKeyOfMessage: Bool { self.key == nil || self.key?.text == "{key}" }

    /// Whether a record is nothing but the message's key and payload, in a topic that is known: the one that is returned.
    func plainTopic(of batch: MessageBatch) -> String? {
        guard let constantTopic, self.key == nil else { return nil }
        return batch.allSatisfy { $0.headersJSON == nil } ? constantTopic : nil
    }

    /// The record of a message.
    func record(of message: Message) throws(Refusal) -> Record {
        var headers: [(name: String, value: String)] = []
        if message.headersJSON != nil {
            headers = message.headers.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
        }
        let partition = try Self.partition(&headers)
        let hasOwnTopic = headers.contains { $0.name == Override.topic }
        let topic = try self.topic(of: message, &headers)
        return Record(
            topic: topic, partition: partition, key: try self.key(of: message), headers: headers,
            isAddressFixed: self.hasFixedTopic && !hasOwnTopic && partition == nil)
    }

    private static func partition(_ headers: inout [(name: String, value: String)]) throws(Refusal) -> Int32? {
        guard let index = headers.firstIndex(where: { $0.name == Override.partition }) else { return nil }
        guard let number = Int32(headers[index].value), number >= 0 else {
            throw Refusal(reason: "the header \(Override.partition) is no number of a partition")
        }
        headers.remove(at: index)
        return number
    }

    private func topic(
        of message: Message, _ headers: inout [(name: String, value: String)]
    ) throws(Refusal) -> String {
        let name: String
        if let index = headers.firstIndex(where: { $0.name == Override.topic }) {
            name = headers.remove(at: index).value
        } else if let constantTopic {
            // It has been checked.
            return constantTopic
        } else {
            do throws(MessageTemplate.MissingValue) {
                name = try self.topic.text(for: message)
            } catch {
                throw Refusal(reason: "no topic: \(error)")
            }
        }
        if let defect = TopicName.defect(of: name) { throw Refusal(reason: defect) }
        return name
    }

    private func key(of message: Message) throws(Refusal) -> String? {
        guard let key = self.key else { return message.key }
        do throws(MessageTemplate.MissingValue) {
            return try key.text(for: message)
        } catch {
            throw Refusal(reason: "no key: \(error)")
        }
    }
}
