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
    var extent: LentMessage.Extent { .payloadAndKey }
    var packer: RequestPacker { RequestPacker(maximumCount: 500, maximumBytes: KinesisRecord.packedBytes) }

    func table(of messages: LentBatch) -> EntryTable<KinesisRecord> {
        var table = EntryTable<KinesisRecord>(messages)
        let constant = self.streams.constant.map { $0.map { table.number(of: $0) } }
        let isPlain = self.form.isPlain
        unsafe messages.withMessages { lent in
            for index in 0..<lent.count {
                do throws(MessageRefusal) {
                    let target =
                        if let constant {
                            try constant.get()
                        } else {
                            table.number(of: try self.streams.name(for: messages.batch[index]))
                        }
                    if isPlain, let byteCount = unsafe KinesisRecord.plainByteCount(of: lent[index]) {
                        table.add(target: target, byteCount: byteCount, nil)
                    } else {
                        let record = try KinesisRecord(messages.batch[index], self.form)
                        table.add(target: target, byteCount: record.byteCount, record)
                    }
                } catch {
                    table.add(error)
                }
            }
        }
        return table
    }

    func body(of indexes: [Int], in table: EntryTable<KinesisRecord>, address: String) -> [UInt8] {
        var writer = JSONWriter(
            capacity: indexes.reduce(address.utf8.count + 64) {
                $0 + Base64.encodedCount(table.list.byteCount(at: $1)) + 96
            })
        writer.literal(#"{"StreamName":"#)
        writer.string(address)
        writer.literal(#","Records":["#)
        unsafe table.messages.withMessages { lent in
            var isFirst = true
            for index in indexes {
                if !isFirst { writer.literal(",") }
                isFirst = false
                if let record = table.entry(at: index) {
                    Self.write(record, to: &writer)
                } else if let key = unsafe lent[index].key {
                    unsafe Self.write(key, nil, lent[index].payload, to: &writer)
                }
            }
        }
        writer.literal("]}")
        return writer.take()
    }

    private static func write(_ record: KinesisRecord, to writer: inout JSONWriter) {
        var (key, number) = (record.partitionKey, record.explicitHashKey ?? "")
        key.withUTF8 { key in
            number.withUTF8 { number in
                unsafe record.withData { data in
                    let number = record.explicitHashKey == nil ? nil : UnsafeRawBufferPointer(number)
                    unsafe self.write(UnsafeRawBufferPointer(key), number, data, to: &writer)
                }
            }
        }
    }

    private static func write(
        _ key: UnsafeRawBufferPointer, _ hashKey: UnsafeRawBufferPointer?, _ data: UnsafeRawBufferPointer,
        to writer: inout JSONWriter
    ) {
        let count = Base64.encodedCount(data.count)
        let room = unsafe JSONPlace.room(for: key) + (hashKey.map { unsafe JSONPlace.room(for: $0) } ?? 0) + count
        unsafe writer.parts(atMost: room + 64) { place in
            unsafe place.literal(#"{"PartitionKey":""#)
            unsafe place.part(utf8: key)
            if let hashKey = unsafe hashKey {
                unsafe place.literal(#"","ExplicitHashKey":""#)
                unsafe place.part(utf8: hashKey)
            }
            unsafe place.literal(#"","Data":""#)
            unsafe place.part(plainCount: count) { text in unsafe Base64.write(data, to: text) }
            unsafe place.literal(#""}"#)
        }
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

    func isConfirmation(_ body: [UInt8], of indexes: [Int]) -> Bool {
        Self.isConfirmation(body, count: indexes.count)
    }

    static func isConfirmation(_ body: [UInt8], count: Int) -> Bool {
        let isRead = PlainAnswer.read(body) { answer in
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
            return isRead && records == count ? true : nil
        }
        return isRead == true
    }

    private static func readSuccess(_ answer: inout PlainAnswer) -> Bool {
        let isUsual = answer.tryReading { answer in
            answer.accept(exactly: #"{"SequenceNumber":""#) && answer.restOfText()?.isEmpty == false
                && answer.accept(exactly: #","ShardId":""#) && answer.restOfText() != nil && answer.accept(exactly: "}")
        }
        if isUsual { return true }
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

    func results(in body: [UInt8], of indexes: [Int], in table: EntryTable<KinesisRecord>) -> [EntryResult]? {
        Self.results(in: body, count: indexes.count)
    }

    static func results(in body: [UInt8], count: Int) -> [EntryResult]? {
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
            return EntryResult(code: code, reason: reason, isSendersFault: nil)
        }
    }
}
