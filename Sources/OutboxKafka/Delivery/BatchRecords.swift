import Outbox

/// The records of a batch.
struct BatchRecords {
    private let batch: MessageBatch
    /// The topic of all, where nothing else has to be found out about them.
    private let plainTopic: String?
    /// What has been found out, where something had to be.
    private let records: [Result<RecordTemplate.Record, RecordTemplate.Refusal>]
    /// Whether librdkafka keeps the order of the messages of a key.
    let areOrdered: Bool
    /// The topic of all, where every message of the destination goes there.
    let fixedTopic: String?

    init(_ batch: MessageBatch, template: RecordTemplate) {
        self.batch = batch
        self.plainTopic = template.plainTopic(of: batch)
        if self.plainTopic != nil {
            self.records = []
            self.areOrdered = true
            self.fixedTopic = self.plainTopic
            return
        }
        var records: [Result<RecordTemplate.Record, RecordTemplate.Refusal>] = []
        records.reserveCapacity(batch.count)
        var areOrdered = template.isKeyOfMessage
        var first: RecordTemplate.Record?
        for message in batch {
            do throws(RecordTemplate.Refusal) {
                let record = try template.record(of: message)
                if let first { areOrdered = areOrdered && record.isOrdered(with: first) } else { first = record }
                records.append(.success(record))
            } catch {
                records.append(.failure(error))
            }
        }
        self.records = records
        self.areOrdered = areOrdered
        let isFixed = records.allSatisfy { record in
            guard case .success(let record) = record else { return true }
            return record.isAddressFixed
        }
        self.fixedTopic = isFixed ? first?.topic : nil
    }

    /// - Throws: Why the message can be no record.
    func record(at index: Int) throws(RecordTemplate.Refusal) -> RecordTemplate.Record {
        guard let plainTopic else { return try self.records[index].get() }
        return RecordTemplate.Record(
            topic: plainTopic, partition: nil, key: self.batch[index].key, headers: [], isAddressFixed: true)
    }
}
