import Outbox
import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct KinesisConfigurationTests {
    private func complaint(_ url: String) -> String {
        OutboxAWSTests.complaint { () throws(TransportConfigurationError) in _ = try KinesisConfiguration(url: url) }
    }

    @Test func readsAnAddress() throws {
        let configuration = try KinesisConfiguration(
            url: "kinesis://events.{route}?region=us-east-1&partition_key={destination}&explicit_hash_key={header.hash}"
                + "&content=envelope&timeout=5")
        #expect(configuration.stream.text == "events.{route}")
        #expect(configuration.partitionKey?.text == "{destination}")
        #expect(configuration.explicitHashKey?.text == "{header.hash}")
        #expect(configuration.content == .envelope)
        #expect(configuration.aws.region == "us-east-1")
        #expect(configuration.aws.connection.timeout == .seconds(5))
        let short = try KinesisConfiguration(url: "kinesis://events")
        #expect(short.partitionKey == nil && short.explicitHashKey == nil && short.content == .payload)
        #expect(configuration.description == "kinesis://events.{route}?region=us-east-1")
    }

    @Test(arguments: [
        ("kinesis://events?partition_kye=x", "did you mean “partition_key”"),
        ("kinesis://ev ents", "that is no stream"),
        ("kinesis://events?explicit_hash_key=340282366920938463463374607431768211456", "2^128"),
        ("kinesis://events?explicit_hash_key=-1", "2^128"), ("kinesis://events?content=x", "envelope, payload"),
        ("kinesis://u@events", "no user"), ("kinesis://events?headers=none", "not known"),
    ])
    func refuses(_ url: String, _ words: String) {
        #expect(self.complaint(url).contains(words), "\(self.complaint(url))")
    }
}
