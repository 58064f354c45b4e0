import Foundation
import Outbox
import OutboxTesting
import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct SendMessageBatchTests {
    private let action = SendMessageBatch(queue: "orders.fifo", content: .init(idAttribute: nil))

    private func table(_ messages: [NewMessage], _ action: SendMessageBatch) -> EntryTable<SQSEntry> {
        action.table(of: LentBatch(MessageBatch(messages)))
    }

    @Test func writesARequest() throws {
        let table = self.table([.text("a\"ü\n", key: "k", headers: ["h": "v"])], self.action)
        let body = String(decoding: self.action.body(of: [0], in: table, address: "http://q"), as: UTF8.self)
        let name = SendMessageBatch.name(0, table.messages.batch[0].id)
        #expect(
            body == #"{"QueueUrl":"http://q","Entries":[{"Id":"\#(name)","MessageBody":"a\"ü\n","#
                + #""MessageGroupId":"k","#
                + #""MessageDeduplicationId":"\#(table.entry(at: 0)!.deduplicationID!)","#
                + #""MessageAttributes":{"h":{"DataType":"String","StringValue":"v"}}}]}"#)
    }

    private struct Body: Decodable {
        struct Attribute: Decodable, Equatable {
            let type: String
            let value: String
            private enum CodingKeys: String, CodingKey {
                case type = "DataType"
                case value = "StringValue"
            }
        }
        struct Entry: Decodable {
            let id: String
            let body: String
            let attributes: [String: Attribute]?
            private enum CodingKeys: String, CodingKey {
                case id = "Id"
                case body = "MessageBody"
                case attributes = "MessageAttributes"
            }
        }
        let entries: [Entry]
        private enum CodingKeys: String, CodingKey { case entries = "Entries" }
    }

    /// Most messages are written out of the memory that they lie in.
    @Test(arguments: ["outbox-id", nil])
    func whatIsWrittenQuicklyIsRead(_ idAttribute: String?) throws {
        let action = SendMessageBatch(queue: "orders", content: .init(idAttribute: idAttribute))
        var random = SystemRandomNumberGenerator()
        for _ in 0..<100 {
            let messages = (0..<10).map { number in
                let text = (0..<Int.random(in: 1...600, using: &random)).map { _ in
                    ["a", "b", "c", "d", "\"", "\\", "\n", "\t", "\r", "\u{7F}"].randomElement(using: &random)!
                }
                // The first one is always one of those that are written quickly.
                return NewMessage.text(text.joined() + (number > 0 && Bool.random(using: &random) ? "ü" : ""))
            }
            let table = self.table(messages, action)
            let indexes = Array(messages.indices.shuffled().prefix(7))
            #expect(table.entry(at: 0) == nil)
            let body = action.body(of: indexes, in: table, address: "http://q")
            let entries = try JSONDecoder().decode(Body.self, from: Data(body)).entries
            #expect(entries.map { Array($0.body.utf8) } == indexes.map { Array(messages[$0].payload) })
            let ids = indexes.map { table.messages.batch[$0].id }
            #expect(entries.map(\.id) == ids.enumerated().map { SendMessageBatch.name($0, $1) })
            for (entry, id) in zip(entries, ids) {
                let attribute = Body.Attribute(type: "String", value: String(id))
                #expect(entry.attributes == idAttribute.map { [$0: attribute] })
            }
        }
    }

    private func results(_ text: String, _ count: Int = 2) -> [EntryResult]? {
        let table = self.table(Array(repeating: .text("x"), count: count), self.action)
        var text = text
        for number in 0..<count {
            let name = SendMessageBatch.name(number, table.messages.batch[number].id)
            text = text.replacing(#""Id":"\#(number)""#, with: #""Id":"\#(name)""#)
        }
        return self.action.results(in: Array(text.utf8), of: Array(0..<count), in: table)
    }

    @Test func readsAnAnswer() {
        #expect(
            self.results(
                #"{"Successful":[{"Id":"1","MessageId":"x","MD5OfMessageBody":"y"},{"Id":"0","MessageId":"z"}],"new":1}"#
            )
                == [.delivered, .delivered])
        let failed = self.results(
            #"{"Failed":[{"Id":"0","Code":"InvalidMessageContents","Message":"no","SenderFault":true},{"Id":"1","Code":"RequestThrottled","SenderFault":true}]}"#
        )
        #expect(failed == [.refused("SQS: InvalidMessageContents: no"), .throttled("SQS: RequestThrottled")])
        let down = self.results(
            #"{"Failed":[{"Id":"0","Code":"InternalError","Message":"x","SenderFault":false},{"Id":"1","Code":"Odd","SenderFault":false}]}"#
        )
        #expect(down == [.failed("SQS: InternalError: x"), .failed("SQS: Odd")])
    }

    /// A message goes to dead letter only for what is known to be about messages, and only where SQS blames the sender.
    @Test(arguments: [
        (#""Code":"Odd","SenderFault":true"#, EntryResult.unclear("SQS: Odd")),
        (#""Code":"Odd""#, .failed("SQS: Odd")),
        (#""Code":"InvalidMessageContents""#, .failed("SQS: InvalidMessageContents")),
        (#""Code":"KMS.DisabledException","SenderFault":true"#, .forbidden("SQS: KMS.DisabledException")),
        (#""Code":"AccessDenied","SenderFault":true"#, .forbidden("SQS: AccessDenied")),
        (#""Code":"KmsThrottled","SenderFault":true"#, .throttled("SQS: KmsThrottled")),
    ])
    func whatIsUnknownIsNoRefusal(_ failure: String, _ result: EntryResult) {
        #expect(self.results(#"{"Failed":[{"Id":"0",\#(failure)}]}"#, 1) == [result])
    }

    /// An answer to another request, out of a cache or a proxy that mixes them up.
    @Test func anAnswerIsOfTheseMessages() throws {
        let table = self.table([.text("x")], self.action)
        let own = table.messages.batch[0].id
        for id in ["0", "0-\(own + 1)", "1-\(own)", "00-\(own)", "0-0\(own)", "0-\(own)0"] {
            let answer = #"{"Successful":[{"Id":"\#(id)","MessageId":"x"}]}"#
            #expect(self.action.results(in: Array(answer.utf8), of: [0], in: table) == nil, "\(id)")
        }
        #expect(self.results(#"{"Successful":[{"Id":"0","MessageId":""}]}"#, 1) != [.delivered])
    }

    @Test func whatIsNotMentionedIsNotDelivered() {
        #expect(self.results(#"{"Successful":[{"Id":"1","MessageId":"x"}]}"#)?.first != .delivered)
        #expect(self.results("{}") == Array(repeating: .failed("SQS did not say what became of the message"), count: 2))
    }

    @Test(arguments: [
        "", "<html>", "[]", "null", #"{"Successful":[{"Id":"7","MessageId":"x"}]}"#, #"{"Successful":[{"Id":"0"}]}"#,
        #"{"Successful":{}}"#,
    ])
    func whatIsNoAnswerIsNone(_ text: String) { #expect(self.results(text) == nil) }
}
