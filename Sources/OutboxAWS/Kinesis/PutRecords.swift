import Outbox
import OutboxHTTP
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Writes up to 500 records to a stream.
///
/// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
struct PutRecords: ServiceAction {
    let configuration: KinesisConfiguration

    var operation: String { "PutRecords" }
    var targetKind: String { "stream" }
    var packer: RequestPacker { RequestPacker(maximumCount: 500, maximumBytes: KinesisRecord.packedBytes) }
    var hasFixedTarget: Bool { !self.configuration.stream.variesWithinDestination }

    func entry(for message: Message) throws(MessageRefusal) -> KinesisRecord {
        try KinesisRecord(message, self.configuration)
    }

    func body(of entries: [KinesisRecord], address: String) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("StreamName")
        writer.string(address)
        writer.name("Records")
        writer.beginArray()
        for record in entries {
            writer.beginObject()
            writer.name("PartitionKey")
            writer.string(record.partitionKey)
            if let key = record.explicitHashKey {
                writer.name("ExplicitHashKey")
                writer.string(key)
            }
            writer.name("Data")
            writer.string(Base64.encoded(record.data))
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.take()
    }

    private struct Answer: Decodable {
        struct Record: Decodable {
            let sequenceNumber: String?
            let errorCode: String?
            let errorMessage: String?
            private enum CodingKeys: String, CodingKey {
                case sequenceNumber = "SequenceNumber"
                case errorCode = "ErrorCode"
                case errorMessage = "ErrorMessage"
            }
        }
        let records: [Record]
        private enum CodingKeys: String, CodingKey { case records = "Records" }
    }

    func results(in body: [UInt8], of entries: [KinesisRecord]) -> [EntryResult]? {
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)),
            answer.records.count == entries.count
        else {
            return nil
        }
        return answer.records.map { record in
            guard let code = record.errorCode else {
                return record.sequenceNumber?.isEmpty != false
                    ? .failed("Kinesis did not say what became of the record") : .delivered
            }
            let reason = "Kinesis: \(code)\(record.errorMessage.map { ": \($0.prefix(400))" } ?? "")"
            return EntryResult(code: code, reason: reason, isSendersFault: false)
        }
    }
}
