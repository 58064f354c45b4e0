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
    private let form: KinesisRecord.Form
    let hasFixedTarget: Bool
    private let streams: CheckedNames<String>

    init(configuration: KinesisConfiguration) {
        self.form = KinesisRecord.Form(configuration)
        self.hasFixedTarget = !configuration.stream.variesWithinDestination
        self.streams = CheckedNames(configuration.stream, "stream") { text throws(MessageRefusal) in
            try KinesisRecord.checkedStream(text)
        }
    }

    var operation: String { "PutRecords" }
    var targetKind: String { "stream" }
    var packer: RequestPacker { RequestPacker(maximumCount: 500, maximumBytes: KinesisRecord.packedBytes) }

    func entry(for message: Message) throws(MessageRefusal) -> KinesisRecord {
        try KinesisRecord(message, to: try self.streams.name(for: message), self.form)
    }

    func body(of entries: [KinesisRecord], address: String) -> [UInt8] {
        var writer = JSONWriter(
            capacity: entries.reduce(address.utf8.count + 64) { $0 + Base64.encodedCount($1.byteCount) + 96 })
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
            unsafe record.withData { data in
                unsafe writer.string(plainCount: Base64.encodedCount(data.count)) { text in
                    unsafe Base64.write(data, to: text)
                }
            }
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
        Self.plainResults(in: body, count: entries.count) ?? Self.decodedResults(in: body, count: entries.count)
    }

    /// The results of an answer in which nothing failed; nil: that is not known of it.
    static func plainResults(in body: [UInt8], count: Int) -> [EntryResult]? {
        PlainAnswer.read(body) { answer in
            var records: Int?
            let isRead = answer.object { name, answer in
                guard name == "Records" else { return answer.skipValue() }
                if records != nil { return false }
                var delivered = 0
                defer { records = delivered }
                return answer.array { answer in
                    delivered += 1
                    return self.readSuccess(&answer)
                }
            }
            return isRead && records == count ? [EntryResult](repeating: .delivered, count: count) : nil
        }
    }

    private static func readSuccess(_ answer: inout PlainAnswer) -> Bool {
        var isNumbered: Bool?
        let isRead = answer.object { name, answer in
            guard let value = answer.text(), !(name == "ErrorCode"), !(name == "ErrorMessage") else { return false }
            if name == "SequenceNumber" {
                if isNumbered != nil { return false }
                isNumbered = !value.isEmpty
            }
            return true
        }
        return isRead && isNumbered == true
    }

    static func decodedResults(in body: [UInt8], count: Int) -> [EntryResult]? {
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)),
            answer.records.count == count
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
