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
            body == #"{"QueueUrl":"http://q","Entries":[{"Id":"0","MessageBody":"a\"ü\n","MessageGroupId":"k","#
                + #""MessageDeduplicationId":"\#(entry.deduplicationID!)","#
                + #""MessageAttributes":{"h":{"DataType":"String","StringValue":"v"}}}]}"#)
    }

    private func results(_ text: String, _ count: Int = 2) -> [EntryResult]? {
        self.action.results(in: Array(text.utf8), count: count)
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

    @Test func whatIsNotMentionedIsNotDelivered() {
        #expect(self.results(#"{"Successful":[{"Id":"1"}]}"#)?.first != .delivered)
        #expect(self.results("{}") == Array(repeating: .failed("SQS did not say what became of the message"), count: 2))
    }

    @Test(arguments: [
        "", "<html>", "[]", "null", #"{"Successful":[{"Id":"7"}]}"#, #"{"Successful":[{"Id":"x"}]}"#,
        #"{"Successful":{}}"#,
    ])
    func whatIsNoAnswerIsNone(_ text: String) { #expect(self.results(text) == nil) }
}
