import Outbox
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Sends up to 10 messages to a queue.
///
/// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
struct SendMessageBatch: ServiceAction {
    let content: SQSConfiguration.Content
    let hasFixedTarget: Bool
    private let queues: CheckedNames<SQSQueue>
    /// Whether a message without headers becomes its payload as it is, and its id, where the queue keeps no order.
    private let isPlain: Bool

    init(queue: MessageTemplate, content: SQSConfiguration.Content) {
        self.content = content
        self.hasFixedTarget = !queue.variesWithinDestination
        self.isPlain =
            content.encoding == .text && content.enqueuedAtAttribute == nil && content.group == nil
            && content.delay == nil
        self.queues = CheckedNames(queue, "queue") { text throws(MessageRefusal) in try SQSQueue(text) }
    }

    var operation: String { "SendMessageBatch" }
    var targetKind: String { "queue" }
    var extent: LentMessage.Extent { .all }
    var packer: RequestPacker { RequestPacker(maximumCount: 10, maximumBytes: SQSEntry.maximumBytes) }

    func table(of messages: LentBatch) -> EntryTable<SQSEntry> {
        var table = EntryTable<SQSEntry>(messages)
        let constant = self.queues.constant.map { $0.map { (queue: $0, target: table.number(of: $0.target)) } }
        unsafe messages.withMessages { lent in
            for index in 0..<lent.count {
                do throws(MessageRefusal) {
                    let (queue, target) =
                        if let constant {
                            try constant.get()
                        } else {
                            try self.queue(for: messages.batch[index], &table)
                        }
                    if !queue.isFIFO, let byteCount = unsafe self.plainByteCount(of: lent[index]) {
                        table.add(target: target, byteCount: byteCount, nil)
                    } else {
                        let entry = try SQSEntry(messages.batch[index], to: queue, self.content)
                        if queue.isFIFO { table.noteFIFO() }
                        table.add(target: target, byteCount: entry.byteCount, entry)
                    }
                } catch {
                    table.add(error)
                }
            }
        }
        return table
    }

    private func queue(
        for message: Message, _ table: inout EntryTable<SQSEntry>
    ) throws(MessageRefusal) -> (queue: SQSQueue, target: Int) {
        let queue = try self.queues.name(for: message)
        return (queue, table.number(of: queue.target))
    }

    /// What a message counts that becomes its payload as it is, with its id; nil: it does not, or has to be looked at.
    private func plainByteCount(of message: LentMessage) -> Int? {
        guard self.isPlain, !message.hasHeaders, unsafe !message.payload.isEmpty,
            unsafe SQSText.isPlain(message.payload)
        else { return nil }
        var count = unsafe message.payload.count
        if let name = self.content.idAttribute {
            count += SQSAttribute.byteCount(
                name: name.utf8.count, value: Decimal.count(of: message.id.magnitude) + (message.id < 0 ? 1 : 0))
        }
        return count <= SQSEntry.maximumBytes ? count : nil
    }

    func body(of indexes: [Int], in table: EntryTable<SQSEntry>, address: String) -> [UInt8] {
        // Without what is escaped, which is seldom much.
        var writer = JSONWriter(
            capacity: indexes.reduce(address.utf8.count + 1600) { $0 + table.list.byteCount(at: $1) + 320 })
        writer.literal(#"{"QueueUrl":"#)
        writer.string(address)
        writer.literal(#","Entries":["#)
        unsafe table.messages.withMessages { lent in
            for (number, index) in indexes.enumerated() {
                // With the message's id, so that an answer to another request is none.
                writer.literal(number == 0 ? #"{"Id":""# : #",{"Id":""#)
                writer.part(integer: Int64(number))
                writer.literal("-")
                writer.part(integer: unsafe lent[index].id)
                writer.literal(#"","MessageBody":"#)
                if let entry = table.entry(at: index) {
                    Self.write(entry, &writer)
                } else {
                    unsafe self.write(lent[index], &writer)
                }
            }
        }
        writer.literal("]}")
        return writer.take()
    }

    /// Writes an entry from its body on.
    private func write(_ message: LentMessage, _ writer: inout JSONWriter) {
        writer.literal("\"")
        unsafe writer.part(utf8: message.payload)
        writer.literal("\"")
        if var name = self.content.idAttribute {
            writer.literal(#","MessageAttributes":{""#)
            name.withUTF8 { unsafe writer.part(utf8: UnsafeRawBufferPointer($0)) }
            writer.literal(#"":{"DataType":"String","StringValue":""#)
            writer.part(integer: message.id)
            writer.literal(#""}}"#)
        }
        writer.literal("}")
    }

    /// Writes an entry from its body on.
    private static func write(_ entry: SQSEntry, _ writer: inout JSONWriter) {
        func member(_ name: StaticString, _ value: String?) {
            guard let value else { return }
            writer.name(name)
            writer.string(value)
        }
        writer.string(entry.body)
        member("MessageGroupId", entry.group)
        member("MessageDeduplicationId", entry.deduplicationID)
        if let delay = entry.delay {
            writer.name("DelaySeconds")
            writer.integer(delay)
        }
        if !entry.attributes.isEmpty {
            writer.name("MessageAttributes")
            writer.beginObject()
            for attribute in entry.attributes {
                writer.name(of: attribute.name)
                writer.beginObject()
                member("DataType", "String")
                member("StringValue", attribute.value)
                writer.endObject()
            }
            writer.endObject()
        }
        writer.endObject()
    }

    private struct Answer: Decodable {
        struct Success: Decodable {
            let id: String
            let messageID: String
            private enum CodingKeys: String, CodingKey {
                case id = "Id"
                case messageID = "MessageId"
            }
        }
        struct Failure: Decodable {
            let id: String
            let code: String
            let message: String?
            let isSendersFault: Bool?
            private enum CodingKeys: String, CodingKey {
                case id = "Id"
                case code = "Code"
                case message = "Message"
                case isSendersFault = "SenderFault"
            }
        }
        let successful: [Success]?
        let failed: [Failure]?
        private enum CodingKeys: String, CodingKey {
            case successful = "Successful"
            case failed = "Failed"
        }
    }

    func results(in body: [UInt8], of indexes: [Int], in table: EntryTable<SQSEntry>) -> [EntryResult]? {
        let ids = unsafe table.messages.withMessages { lent in indexes.map { unsafe lent[$0].id } }
        return Self.plainResults(in: body, of: ids) ?? Self.decodedResults(in: body, of: ids)
    }

    private static let unmentioned = EntryResult.failed("SQS did not say what became of the message")

    /// The results of an answer in which nothing failed; nil: that is not known of it.
    ///
    /// - Parameter ids: Those of the request's messages.
    static func plainResults(in body: [UInt8], of ids: [Int64]) -> [EntryResult]? {
        PlainAnswer.read(body) { answer in
            var results = [EntryResult](repeating: self.unmentioned, count: ids.count)
            var (hasSuccesses, hasFailures) = (false, false)
            let isRead = answer.object { name, answer in
                if name == "Successful", !hasSuccesses {
                    hasSuccesses = true
                    return answer.array { self.readSuccess(&$0, ids, &results) }
                }
                if name == "Failed", !hasFailures {
                    hasFailures = true
                    return answer.array { _ in false }
                }
                return false
            }
            return isRead && hasSuccesses ? results : nil
        }
    }

    private static func readSuccess(
        _ answer: inout PlainAnswer, _ ids: [Int64], _ results: inout [EntryResult]
    ) -> Bool {
        var number: Int?
        var isNamed: Bool?
        let isRead = answer.object { name, answer in
            guard let value = answer.text() else { return false }
            if name == "Id" {
                guard number == nil, let (place, id) = value.numbers, place < ids.count, id == ids[Int(place)] else {
                    return false
                }
                number = Int(place)
            } else if name == "MessageId" {
                if isNamed != nil { return false }
                isNamed = !value.isEmpty
            }
            return true
        }
        guard isRead, let number, let isNamed else { return false }
        if isNamed { results[number] = .delivered }
        return true
    }

    static func decodedResults(in body: [UInt8], of ids: [Int64]) -> [EntryResult]? {
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)) else { return nil }
        var results = [EntryResult](repeating: self.unmentioned, count: ids.count)
        let names = ids.enumerated().map { self.name($0, $1) }
        for success in answer.successful ?? [] {
            guard let number = names.firstIndex(of: success.id) else { return nil }
            if !success.messageID.isEmpty { results[number] = .delivered }
        }
        for failure in answer.failed ?? [] {
            guard let number = names.firstIndex(of: failure.id) else { return nil }
            results[number] = Self.result(failure)
        }
        return results
    }

    /// What a message is called in a request, by its number in it and its id.
    static func name(_ number: Int, _ id: Int64) -> String { "\(number)-\(id)" }

    private static func result(_ failure: Answer.Failure) -> EntryResult {
        let message = failure.message.map { ": \($0.prefix(400))" } ?? ""
        return EntryResult(
            code: failure.code, reason: "SQS: \(failure.code)\(message)",
            isSendersFault: failure.isSendersFault == true)
    }
}
