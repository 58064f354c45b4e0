import Outbox
import OutboxTesting
import TestSupport
import Testing

@testable import OutboxAWS

/// The quick reader of answers, beside the decoder: what it takes means the same to both.
@Suite(.timeLimit(.minutes(StressSettings.minutes(atLeast: 5)))) struct PlainAnswerTests {
    private static let ids: [Int64] = [1, 22, 333, 4, 5, 6, 7, 8, 9, 10, 123_456_789_012_345_678]

    private static func name(_ number: Int) -> String { SendMessageBatch.name(number, self.ids[number]) }

    /// An answer of SQS to the entries with these numbers.
    private static func answer(_ numbers: [Int], tail: String = "") -> String {
        let members = numbers.map { number in
            #"{"Id":"\#(self.name(number))","MD5OfMessageBody":"9dd4e461268c8034f5c8564e155c67a6","#
                + #""MD5OfMessageAttributes":"90f1","MessageId":"5fea7756-0ea4-451a-a703-a558b933e274"}"#
        }
        return #"{"Successful":["# + members.joined(separator: ",") + "]\(tail)}"
    }

    @Test func itTakesWhatTheServicesAnswer() {
        for text in [
            Self.answer(Array(0..<11)), Self.answer([10, 3], tail: #","Failed":[]"#),
            " { \"Successful\" : [ ]\r\n\t}\n",
        ] {
            #expect(SendMessageBatch.plainResults(in: Array(text.utf8), of: Self.ids) != nil, "\(text)")
        }
        for text in [
            #"{"FailedRecordCount":0,"Records":[{"SequenceNumber":"49543463076548007577105092703039560359975228518395012686","ShardId":"shardId-000000000000"}]}"#,
            #"{"EncryptionType":"KMS","Records":[{"ShardId":"s","SequenceNumber":"1"}]}"#,
        ] {
            #expect(PutRecords.isConfirmation(Array(text.utf8), count: 1), "\(text)")
        }
    }

    /// Failures, and what is written in another way, are for the decoder.
    @Test(arguments: [
        #"{"Failed":[{"Id":"0","Code":"InternalError","SenderFault":false}]}"#, #"{}"#, #"{"Failed":[]}"#, "[]", "",
        #"{"Successful":[],"Successful":[]}"#, #"{"Successful":[],"new":1}"#, #"{"Successful":[]}x"#,
        #"{"Successful":[]"#, #"{"Successful":[],}"#, #"{"Successful":null}"#, "{'Successful':[]}",
        #"{"Successful":[{"Id":"99-1","MessageId":"x"}]}"#,
    ])
    func itLeavesOtherAnswersOfSQSToTheDecoder(_ text: String) {
        #expect(SendMessageBatch.plainResults(in: Array(text.utf8), of: Self.ids) == nil)
    }

    @Test(arguments: [
        #"{"MessageId":"x"}"#, #"{"Id":"ID"}"#, #"{"Id":"ID","MessageId":null}"#, #"{"Id":"ID","MessageId":"\u0041"}"#,
        #"{"Id":"ID","MessageId":"ü"}"#, #"{"Id":"ID","Id":"ID","MessageId":"x"}"#,
        #"{"Id":"ID","MessageId":"x","MessageId":""}"#, #"{"Id":"ID","MessageId":"x","new":[1]}"#,
        "{\"Id\":\"ID\",\"MessageId\":\"a\u{1}\"}", #"{"Id":"0ID","MessageId":"x"}"#, #"{"Id":"ID1","MessageId":"x"}"#,
        #"{"Id":"","MessageId":"x"}"#, #"{"Id":"ID","MessageId":"x" "new":"y"}"#,
    ])
    func itLeavesOtherSuccessesToTheDecoder(_ member: String) {
        let member = member.replacing("ID", with: Self.name(0))
        let text = #"{"Successful":["# + member + "]}"
        #expect(SendMessageBatch.plainResults(in: Array(text.utf8), of: Self.ids) == nil, "\(text)")
    }

    @Test(arguments: [
        #"{"Records":[{"SequenceNumber":""}]}"#, #"{"Records":[{"ShardId":"s"}]}"#, #"{"Records":[{}]}"#,
        #"{"Records":[{"SequenceNumber":"1","ErrorCode":"InternalFailure"}]}"#, #"{"Records":[]}"#, "{}",
        #"{"Records":[{"SequenceNumber":"1"}],"Records":[{"SequenceNumber":"1"}]}"#,
        #"{"Records":[{"SequenceNumber":"1","SequenceNumber":"2"}]}"#, #"{"Records":[{"SequenceNumber":1}]}"#,
        #"{"Records":[{"SequenceNumber":"1"},{"SequenceNumber":"2"}]}"#,
        #"{"n":-1,"Records":[{"SequenceNumber":"1"}]}"#,
        #"{"n":01,"Records":[{"SequenceNumber":"1"}]}"#, #"{"n":,"Records":[{"SequenceNumber":"1"}]}"#,
        #"{"n":1e3,"Records":[{"SequenceNumber":"1"}]}"#,
        #"{"n":12345678901234567890123456789,"Records":[{"SequenceNumber":"1"}]}"#,
        #"{"Records":[{"SequenceNumber":"1","ErrorMessage":"x"}]}"#,
    ])
    func itLeavesOtherAnswersOfKinesisToTheDecoder(_ text: String) {
        #expect(!PutRecords.isConfirmation(Array(text.utf8), count: 1))
    }

    @Test func whatItTakesOfSQSMeansTheSameToTheDecoder() async {
        let ids = Array(Self.ids.prefix(2))
        let fuzzer = Fuzzer(
            "answers of SQS",
            corpus: [
                Self.answer([0, 1]), Self.answer([1], tail: #","Failed":[]"#), Self.answer([]),
                #"{"Failed":[{"Id":"0","Code":"x","Message":"m","SenderFault":true}],"Successful":[]}"#,
                #" {"Successful": [ {"MessageId":"","Id":"\#(Self.name(0))"} ] }"#,
            ],
            tokens: Self.tokens + [
                Self.name(0), Self.name(1), "Id", "MessageId", "Successful", "Failed", "Code",
            ])
        let ending = await fuzzer.run { input in
            let body = Array(input)
            guard let results = SendMessageBatch.plainResults(in: body, of: ids) else { return .refused }
            let decoded = SendMessageBatch.decodedResults(in: body, of: ids)
            return decoded == results ? .accepted : .wrong("\(results), and the decoder \(String(describing: decoded))")
        }
        #expect(ending.isSound, "\(ending)")
    }

    @Test func whatItTakesOfKinesisMeansTheSameToTheDecoder() async {
        let fuzzer = Fuzzer(
            "answers of Kinesis",
            corpus: [
                #"{"FailedRecordCount":0,"Records":[{"SequenceNumber":"49","ShardId":"shardId-0"},{"SequenceNumber":"50"}]}"#,
                #"{"EncryptionType":"KMS","Records":[ {"ShardId":"s","SequenceNumber":"1"} , {"SequenceNumber":"2"}]}"#,
                #"{"FailedRecordCount":1,"Records":[{"ErrorCode":"x","ErrorMessage":"y"},{"SequenceNumber":"2"}]}"#,
            ], tokens: Self.tokens + ["SequenceNumber", "ErrorCode", "ErrorMessage", "Records", "FailedRecordCount"])
        let ending = await fuzzer.run { input in
            let body = Array(input)
            guard PutRecords.isConfirmation(body, count: 2) else { return .refused }
            let decoded = PutRecords.results(in: body, count: 2)
            return decoded == [.delivered, .delivered]
                ? .accepted : .wrong("the decoder \(String(describing: decoded))")
        }
        #expect(ending.isSound, "\(ending)")
    }

    private static let tokens = [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\\"", "\\u0041", "null", "true", "0", "00", "-1", "1e9", " ", "\n",
        "ü",
        "\u{0}", "\u{FEFF}", "\u{7F}",
    ]
}
