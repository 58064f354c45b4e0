import Outbox
import OutboxTesting
import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct PublishBatchTests {
    private func action(_ change: (inout SNSConfiguration) -> Void = { _ in }) -> PublishBatch {
        var configuration = SNSConfiguration(topic: "orders.fifo", account: "123456789012", idAttribute: nil)
        change(&configuration)
        return PublishBatch(configuration: configuration, region: "cn-north-1")
    }

    private func refusal(_ new: NewMessage, _ change: (inout SNSConfiguration) -> Void = { _ in }) -> String {
        do throws(MessageRefusal) {
            _ = try self.action(change).entry(for: message(new))
            return ""
        } catch {
            return error.reason
        }
    }

    @Test func writesARequest() throws {
        let action = self.action()
        let entry = try action.entry(for: message(.text("a&b ü", key: "k", headers: ["h": "v+1"])))
        #expect(entry.target == "arn:aws-cn:sns:cn-north-1:123456789012:orders.fifo")
        let form = String(decoding: action.body(of: [entry], address: entry.target), as: UTF8.self)
        #expect(
            form.split(separator: "&").map(String.init) == [
                "Action=PublishBatch", "Version=2010-03-31",
                "TopicArn=arn%3Aaws-cn%3Asns%3Acn-north-1%3A123456789012%3Aorders.fifo",
                "PublishBatchRequestEntries.member.1.Id=\(entry.id(0))",
                "PublishBatchRequestEntries.member.1.Message=a%26b+%C3%BC",
                "PublishBatchRequestEntries.member.1.MessageGroupId=k",
                "PublishBatchRequestEntries.member.1.MessageDeduplicationId=\(entry.deduplicationID ?? "")",
                "PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Name=h",
                "PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Value.DataType=String",
                "PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Value.StringValue=v%2B1",
            ])
    }

    @Test func refusesWhatSNSDoesNotTake() {
        #expect(self.refusal(.text("")).contains("empty"))
        #expect(self.refusal(.text("a", route: "a b")) { $0.topic = "{route}" }.contains("is no topic"))
        #expect(self.refusal(.text(String(repeating: "a", count: 262_145))).contains("262144"))
        #expect(
            self.refusal(.text(String(repeating: "a", count: 262_145))) { $0.maximumMessageSize = 1_048_576 }.isEmpty)
        #expect(self.refusal(.text("a")) { $0.topic = "arn:aws:sns:x:1:{route}" }.isEmpty)
    }

    private func results(_ text: String) -> [EntryResult]? {
        let entries = (0..<3).compactMap { _ in try? self.action().entry(for: message(.text("x"))) }
        var text = text
        for (number, entry) in entries.enumerated() {
            text = text.replacing("<Id>\(number)</Id>", with: "<Id>\(entry.id(number))</Id>")
        }
        return self.action().results(in: Array(text.utf8), of: entries)
    }

    @Test func readsAnAnswer() {
        let results = self.results(
            "<PublishBatchResponse><PublishBatchResult><Failed><member><Id>1</Id><Code>InvalidParameter</Code>"
                + "<Message>no</Message><SenderFault>true</SenderFault></member><member><Id>2</Id><Code>InternalError</Code>"
                + "<SenderFault>false</SenderFault></member></Failed><Successful><member><MessageId>x</MessageId><Id>0</Id>"
                + "</member></Successful></PublishBatchResult></PublishBatchResponse>")
        #expect(results == [.delivered, .refused("SNS: InvalidParameter: no"), .failed("SNS: InternalError")])
        let silent = self.results("<PublishBatchResult><Successful></Successful><Failed/></PublishBatchResult>")
        #expect(silent?.contains(.delivered) == false)
        let unknown = self.results(
            "<PublishBatchResult><Successful><member><Id>0</Id></member></Successful><Failed><member><Id>1</Id>"
                + "<Code>Odd</Code><SenderFault>true</SenderFault></member><member><Id>2</Id><Code>InvalidParameter</Code>"
                + "</member></Failed></PublishBatchResult>")
        #expect(unknown?[0] != .delivered && unknown?[1] == .unclear("SNS: Odd"))
        #expect(unknown?[2] == .failed("SNS: InvalidParameter"), "SNS does not blame the message")
    }

    @Test(arguments: [
        "", "<html>", "{}",
        "<PublishBatchResult><Successful><member><MessageId>x</MessageId><Id>7</Id></member></Successful></PublishBatchResult>",
    ])
    func whatIsNoAnswerIsNone(_ text: String) { #expect(self.results(text) == nil) }

    @Test func readsEveryParameter() throws {
        let configuration = try SNSConfiguration(
            url: "sns://{route}?topic_arn=arn:aws:sns:eu-west-1:123456789012:{route}&region=eu-west-1&encoding=envelope"
                + "&headers=none&id_attribute=&group={key|x}&deduplication_id={id}&max_message_size=1048576&key_order=pipelined&linger=1s"
        )
        #expect(configuration.topic.text == "arn:aws:sns:eu-west-1:123456789012:{route}")
        #expect(
            configuration.encoding == .envelope && configuration.headers == .none && configuration.idAttribute == nil)
        #expect(configuration.group?.text == "{key|x}" && configuration.deduplicationID?.text == "{id}")
        #expect(configuration.maximumMessageSize == 1_048_576 && configuration.keyOrder == .pipelined)
        #expect(configuration.linger == .seconds(1))
        #expect(try SNSConfiguration(url: "sns://orders?account=123456789012").account == "123456789012")
    }

    @Test(arguments: [
        ("sns://orders?account=123456789012&headers=folded&id_attribute=outbox-headers", "outbox-headers"),
        ("sns://orders", "account="), ("sns://orders?account=12", "twelve digits"),
        ("sns://a.b?account=123456789012", "that is no topic"),
        ("sns://orders?topic_arn=arn:aws:sns:r:1:other", "topic_arn"),
        ("sns://orders?acount=1", "did you mean “account”"),
        ("sns://orders.fifo?account=123456789012&key_order=pipelined", "FIFO"),
        ("sns://orders?account=123456789012&max_message_size=1", "from 1024"), ("sns://u:p@orders", "no user"),
    ])
    func refuses(_ url: String, _ words: String) {
        let complaint = complaint { () throws(TransportConfigurationError) in _ = try SNSConfiguration(url: url) }
        #expect(complaint.contains(words), "\(complaint)")
    }
}
