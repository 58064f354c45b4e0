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

    init(queue: MessageTemplate, content: SQSConfiguration.Content) {
        self.content = content
        self.hasFixedTarget = !queue.variesWithinDestination
        self.queues = CheckedNames(queue, "queue") { text throws(MessageRefusal) in try SQSQueue(text) }
    }

    var operation: String { "SendMessageBatch" }
    var targetKind: String { "queue" }
    var packer: RequestPacker { RequestPacker(maximumCount: 10, maximumBytes: SQSEntry.maximumBytes) }

    func entry(for message: Message) throws(MessageRefusal) -> SQSEntry {
        try SQSEntry(message, to: try self.queues.name(for: message), self.content)
    }

    func body(of entries: [SQSEntry], address: String) -> [UInt8] {
        // Without what is escaped, which is seldom much.
        var writer = JSONWriter(capacity: entries.reduce(address.utf8.count + 64) { $0 + $1.byteCount + 320 })
        writer.beginObject()
        writer.name("QueueUrl")
        writer.string(address)
        writer.name("Entries")
        writer.beginArray()
        for (number, entry) in entries.enumerated() { Self.write(entry, number, &writer) }
        writer.endArray()
        writer.endObject()
        return writer.take()
    }

    private static func write(_ entry: SQSEntry, _ number: Int, _ writer: inout JSONWriter) {
        func member(_ name: StaticString, _ value: String?) {
            guard let value else { return }
            writer.name(name)
            writer.string(value)
        }
        writer.beginObject()
        member("Id", entry.id(number))
        member("MessageBody", entry.body)
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

    func results(in body: [UInt8], of entries: [SQSEntry]) -> [EntryResult]? {
        Self.plainResults(in: body, of: entries) ?? Self.decodedResults(in: body, of: entries)
    }

    private static let unmentioned = EntryResult.failed("SQS did not say what became of the message")

    /// The results of an answer in which nothing failed; nil: that is not known of it.
    static func plainResults(in body: [UInt8], of entries: [SQSEntry]) -> [EntryResult]? {
        PlainAnswer.read(body) { answer in
            var results = [EntryResult](repeating: self.unmentioned, count: entries.count)
            var (hasSuccesses, hasFailures) = (false, false)
            let isRead = answer.object { name, answer in
                if name == "Successful", !hasSuccesses {
                    hasSuccesses = true
                    return answer.array { self.readSuccess(&$0, entries, &results) }
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
        _ answer: inout PlainAnswer, _ entries: [SQSEntry], _ results: inout [EntryResult]
    ) -> Bool {
        var number: Int?
        var isNamed: Bool?
        let isRead = answer.object { name, answer in
            guard let value = answer.text() else { return false }
            if name == "Id" {
                guard number == nil, let place = value.leadingNumber, place < entries.count,
                    value == entries[place].id(place)
                else { return false }
                number = place
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

    static func decodedResults(in body: [UInt8], of entries: [SQSEntry]) -> [EntryResult]? {
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)) else { return nil }
        var results = [EntryResult](repeating: self.unmentioned, count: entries.count)
        let ids = entries.enumerated().map { $1.id($0) }
        for success in answer.successful ?? [] {
            guard let number = ids.firstIndex(of: success.id) else { return nil }
            if !success.messageID.isEmpty { results[number] = .delivered }
        }
        for failure in answer.failed ?? [] {
            guard let number = ids.firstIndex(of: failure.id) else { return nil }
            results[number] = Self.result(failure)
        }
        return results
    }

    private static func result(_ failure: Answer.Failure) -> EntryResult {
        let message = failure.message.map { ": \($0.prefix(400))" } ?? ""
        return EntryResult(
            code: failure.code, reason: "SQS: \(failure.code)\(message)",
            isSendersFault: failure.isSendersFault == true)
    }
}

extension SQSEntry {
    /// What it is called in a request. With the message's id, so that an answer to another request is none.
    func id(_ number: Int) -> String { String(number) + "-" + String(self.messageID) }
}
