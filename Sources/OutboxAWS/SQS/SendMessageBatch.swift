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
    let queue: MessageTemplate
    let content: SQSConfiguration.Content

    var operation: String { "SendMessageBatch" }
    var targetKind: String { "queue" }
    var packer: RequestPacker { RequestPacker(maximumCount: 10, maximumBytes: SQSEntry.maximumBytes) }
    var hasFixedTarget: Bool { !self.queue.variesWithinDestination }

    func entry(for message: Message) throws(MessageRefusal) -> SQSEntry {
        try SQSEntry(message, queue: self.queue, self.content)
    }

    func body(of entries: [SQSEntry], address: String) -> [UInt8] {
        var writer = JSONWriter()
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
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)) else { return nil }
        var results = [EntryResult](
            repeating: .failed("SQS did not say what became of the message"), count: entries.count)
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
    func id(_ number: Int) -> String { "\(number)-\(self.messageID)" }
}
