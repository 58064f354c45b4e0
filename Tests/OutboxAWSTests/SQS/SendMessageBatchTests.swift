import Outbox
import OutboxTesting
import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct SendMessageBatchTests {
    private let action = SendMessageBatch(queue: "orders.fifo", content: .init(idAttribute: nil))

    @Test func writesARequest() throws {
        let entry = try self.action.entry(for: message(.text("a\"ü\n", key: "k", headers: ["h": "v"])))
        let body = String(decoding: self.action.body(of: [entry], address: "http://q"), as: UTF8.self)
        #expect(
            body == #"{"QueueUrl":"http://q","Entries":[{"Id":"\#(entry.id(0))","MessageBody":"a\"ü\n","#
                + #""MessageGroupId":"k","#
                + #""MessageDeduplicationId":"\#(entry.deduplicationID!)","#
                + #""MessageAttributes":{"h":{"DataType":"String","StringValue":"v"}}}]}"#)
    }

    private func results(_ text: String, _ count: Int = 2) -> [EntryResult]? {
        let entries = (0..<count).compactMap { _ in try? self.action.entry(for: message(.text("x"))) }
        var text = text
        for (number, entry) in entries.enumerated() {
            text = text.replacing(#""Id":"\#(number)""#, with: #""Id":"\#(entry.id(number))""#)
        }
        return self.action.results(in: Array(text.utf8), of: entries)
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
        let entry = try self.action.entry(for: message(.text("x")))
        for id in ["0", "0-\(entry.messageID + 1)", "1-\(entry.messageID)", "00-\(entry.messageID)"] {
            let answer = #"{"Successful":[{"Id":"\#(id)","MessageId":"x"}]}"#
            #expect(self.action.results(in: Array(answer.utf8), of: [entry]) == nil, "\(id)")
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
