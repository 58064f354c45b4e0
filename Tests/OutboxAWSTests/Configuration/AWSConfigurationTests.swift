import Outbox
import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct AWSConfigurationTests {
    private func endpoint(
        _ configuration: AWSConfiguration, _ variables: [String: String] = [:], service: AWSService = .sqs
    ) throws -> String {
        try configuration.resolved(for: service, Surroundings(variables: variables)).endpoint.url
    }

    @Test func aRegionIsLookedForInOrder() throws {
        func region(_ configuration: AWSConfiguration, _ variables: [String: String]) throws -> String {
            let surroundings = Surroundings(variables: variables) { $0 == "/c" ? "[default]\nregion=eu-west-3" : nil }
            return try configuration.resolved(for: .sqs, surroundings).region
        }
        let all = ["AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2", "AWS_CONFIG_FILE": "/c"]
        #expect(try region(AWSConfiguration(region: "us-east-1"), all) == "us-east-1")
        #expect(try region(AWSConfiguration(), all) == "eu-west-1")
        #expect(try region(AWSConfiguration(), all.filter { $0.key != "AWS_REGION" }) == "eu-west-2")
        #expect(try region(AWSConfiguration(), ["AWS_CONFIG_FILE": "/c"]) == "eu-west-3")
        let complaint = complaint { () throws(TransportConfigurationError) in
            _ = try AWSConfiguration().resolved(for: .sqs, Surroundings(variables: [:]))
        }
        #expect(complaint.contains("AWS_REGION"))
    }

    @Test(arguments: [
        ("eu-central-1", "https://sqs.eu-central-1.amazonaws.com/"),
        ("cn-north-1", "https://sqs.cn-north-1.amazonaws.com.cn/"),
        ("us-gov-west-1", "https://sqs.us-gov-west-1.amazonaws.com/"),
        ("us-iso-east-1", "https://sqs.us-iso-east-1.c2s.ic.gov/"),
        ("us-isob-east-1", "https://sqs.us-isob-east-1.sc2s.sgov.gov/"),
        ("eusc-de-east-1", "https://sqs.eusc-de-east-1.amazonaws.eu/"),
    ])
    func aRegionHasTheDomainOfItsPartition(_ region: String, _ url: String) throws {
        #expect(try self.endpoint(AWSConfiguration(region: region)) == url)
    }

    @Test func anEndpointIsLookedForInOrder() throws {
        let own = "http://own:1",
            variables = ["AWS_ENDPOINT_URL_SQS": "https://Queues.Example:2/p", "AWS_ENDPOINT_URL": "http://all"]
        #expect(try self.endpoint(AWSConfiguration(region: "r", endpoint: own), variables) == "http://own:1/")
        #expect(try self.endpoint(AWSConfiguration(region: "r"), variables) == "https://queues.example:2/p")
        #expect(try self.endpoint(AWSConfiguration(region: "r"), variables, service: .kinesis) == "http://all/")
        let ignored = variables.merging(["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"]) { $1 }
        #expect(try self.endpoint(AWSConfiguration(region: "r"), ignored) == "https://sqs.r.amazonaws.com/")
    }

    @Test(arguments: ["sqs.example", "ftp://h", "http://", "http://u:p@h", "http://h?x", "http://h#x", "http://h ost"])
    func refusesWhatIsNoEndpoint(_ text: String) {
        let complaint = complaint { () throws(TransportConfigurationError) in
            _ = try AWSConfiguration(region: "r", endpoint: text).resolved(for: .sqs, Surroundings(variables: [:]))
        }
        #expect(complaint.contains("endpoint") && !complaint.contains("u:p"))
    }

    /// It becomes a part of a host's name, which must not become another host.
    @Test(arguments: ["", "EU", "eu.evil.example/", "eu central", "-a", "a-", "eu/../x", "é"])
    func refusesWhatIsNoRegion(_ text: String) {
        let complaint = complaint { () throws(TransportConfigurationError) in
            _ = try AWSConfiguration(region: text).resolved(for: .sqs, Surroundings(variables: [:]))
        }
        #expect(complaint.contains("region"))
    }

    @Test func refusesLimitsThatAreNone() {
        var configuration = AWSConfiguration(region: "r")
        configuration.connection.timeout = .zero
        let complaint = complaint { () throws(TransportConfigurationError) in
            _ = try SQSTransport(SQSConfiguration(queue: "q", aws: configuration))
        }
        #expect(complaint.contains("timeout"))
    }
}
