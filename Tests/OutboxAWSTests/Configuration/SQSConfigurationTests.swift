import Outbox
import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct SQSConfigurationTests {
    private func complaint(_ url: String) -> String {
        OutboxAWSTests.complaint { () throws(TransportConfigurationError) in _ = try SQSConfiguration(url: url) }
    }

    @Test func readsTheShortAddress() throws {
        let configuration = try SQSConfiguration(url: "sqs://orders")
        #expect(configuration.queue.text == "orders")
        #expect(configuration.content == SQSConfiguration.Content())
        #expect(configuration.content.encoding == .text && configuration.content.headers == .attributes)
        #expect(configuration.content.idAttribute == "outbox-id")
        #expect(configuration.keyOrder == .oneAtATime)
        #expect(configuration.aws.region == nil && configuration.aws.endpoint == nil)
        #expect(configuration.aws.connection == AWSConfiguration.Connection())
        #expect(configuration.description == "sqs://orders")
    }

    /// Two attributes of one name would make SQS refuse the request.
    @Test(arguments: ["id_attribute", "enqueued_at_attribute"])
    func theAttributeOfFoldedHeadersIsNoOther(_ parameter: String) {
        let complaint = self.complaint("sqs://orders?headers=folded&\(parameter)=outbox-headers")
        #expect(complaint.contains("outbox-headers"), "\(complaint)")
        #expect(self.complaint("sqs://orders?\(parameter)=outbox-headers").isEmpty)
    }

    @Test func readsEveryParameter() throws {
        let configuration = try SQSConfiguration(
            url:
                "sqs://{route}?region=cn-north-1&queue_url=https://sqs.cn-north-1.amazonaws.com.cn/123456789012/{route}"
                + "&account=123456789012&encoding=base64&headers=folded&id_attribute=&enqueued_at_attribute=at&group={key|none}"
                + "&deduplication_id={id}&delay={header.wait|0}&key_order=pipelined&linger=20ms&endpoint=http://localhost:4566&profile=shop"
                + "&credentials=container&connect_timeout=2s&timeout=1m&connections=8&proxy=http://p:3128&ca_file=/ca"
                + "&verify_host=false")
        #expect(configuration.queue.text == "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/{route}")
        #expect(configuration.account == "123456789012")
        #expect(configuration.content.encoding == .base64)
        #expect(configuration.content.headers == .folded)
        #expect(configuration.content.idAttribute == nil)
        #expect(configuration.content.enqueuedAtAttribute == "at")
        #expect(configuration.content.group?.text == "{key|none}")
        #expect(configuration.content.deduplicationID?.text == "{id}")
        #expect(configuration.content.delay?.text == "{header.wait|0}")
        #expect(configuration.keyOrder == .pipelined)
        #expect(configuration.linger == .milliseconds(20))
        #expect(configuration.aws.region == "cn-north-1")
        #expect(configuration.aws.endpoint == "http://localhost:4566")
        #expect(configuration.aws.profile == "shop")
        #expect(configuration.aws.credentials.description == "container")
        let connection = configuration.aws.connection
        #expect(connection.connectTimeout == .seconds(2) && connection.timeout == .seconds(60))
        #expect(connection.maximumConnections == 8 && connection.proxy == "http://p:3128")
        #expect(connection.tls == TLSSettings(caFile: "/ca", verifiesHost: false))
    }

    @Test(arguments: [
        ("sqs://orders?regoin=x", "did you mean “region”"), ("sqs://orders?colour=x", "not known"),
        ("sqs://orders?region=a&region=b", "given twice"), ("sqs://a:b@orders", "no password"),
        ("sqs://orders/x", "alone"),
        ("sqs://a,b", "alone"), ("sqs://orders:443", "alone"), ("sqs://or ders", "that is no queue"),
        ("sqs://.fifo", "that is no queue"),
        ("sqs://a.b", "that is no queue"), ("sqs://orders?encoding=utf8", "base64, envelope, text"),
        ("sqs://{colour}", "colour"),
        ("sqs://orders?delay=16m", "15 minutes"), ("sqs://orders.fifo?delay=1s", "FIFO"),
        ("sqs://orders.fifo?key_order=pipelined", "FIFO"), ("sqs://orders?account=12", "twelve digits"),
        ("sqs://orders?id_attribute=AWS.id", "name of an attribute"),
        ("sqs://orders?id_attribute=a&enqueued_at_attribute=a", "different"),
        ("sqs://orders?queue_url=https://h/1/other", "ends with"), ("sqs://orders?timeout=never", "a time"),
        ("sqs://orders?connections=0", "from 1"), ("sqs://orders?linger=2m", "a minute"), ("sqs://", "no name"),
    ])
    func refuses(_ url: String, _ words: String) {
        #expect(self.complaint(url).contains(words), "\(self.complaint(url))")
    }

    @Test func aLongNameIsRefused() {
        #expect(self.complaint("sqs://" + String(repeating: "a", count: 80)).isEmpty)
        #expect(self.complaint("sqs://" + String(repeating: "a", count: 81)).contains("that is no queue"))
        #expect(self.complaint("sqs://" + String(repeating: "a", count: 75) + ".fifo").isEmpty)
    }
}
