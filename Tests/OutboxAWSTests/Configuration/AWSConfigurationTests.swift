import Outbox
import OutboxHTTP
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

    @Test func theProfilesEndpointIsUsed() throws {
        func url(_ variables: [String: String], _ more: String = "") throws -> String {
            let surroundings = Surroundings(variables: variables) {
                $0 == "/c" ? "[default]\nregion=r\nendpoint_url=http://profile:1\n" + more : nil
            }
            return try AWSConfiguration().resolved(for: .sqs, surroundings).endpoint.url
        }
        #expect(try url(["AWS_CONFIG_FILE": "/c"]) == "http://profile:1/")
        #expect(try url(["AWS_CONFIG_FILE": "/c", "AWS_ENDPOINT_URL": "http://all"]) == "http://all/")
        let ignored = "ignore_configured_endpoint_urls=true"
        #expect(try url(["AWS_CONFIG_FILE": "/c"], ignored) == "https://sqs.r.amazonaws.com/")
    }

    @Test(arguments: ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"])
    func aKindOfEndpointThatIsNotKnownIsRefused(_ variable: String) throws {
        let key = variable.dropFirst("AWS_".count).lowercased()
        for surroundings in [
            Surroundings(variables: [variable: "true"]),
            Surroundings(variables: ["AWS_CONFIG_FILE": "/c"]) { $0 == "/c" ? "[default]\n\(key)=true" : nil },
        ] {
            let complaint = complaint { () throws(TransportConfigurationError) in
                _ = try AWSConfiguration(region: "r").resolved(for: .kinesis, surroundings)
            }
            #expect(complaint.contains(variable), "\(complaint)")
        }
        #expect(
            try self.endpoint(AWSConfiguration(region: "r", endpoint: "http://own"), [variable: "true"])
                == "http://own/")
        #expect(try self.endpoint(AWSConfiguration(region: "r"), [variable: "false"]) == "https://sqs.r.amazonaws.com/")
    }

    /// The authority of a server on this machine would make STS a stranger, and checks that are off would be off for it too.
    @Test func theTLSOfAGivenEndpointIsNotThatOfSTS() throws {
        var configuration = AWSConfiguration(region: "r", endpoint: "https://own")
        configuration.connection.tls.caFile = "/ca"
        let given = try configuration.resolved(for: .sqs, Surroundings(variables: [:]))
        #expect(given.http.tls.caFile == "/ca" && given.sts.tls == TLSSettings())
        configuration.endpoint = nil
        #expect(try configuration.resolved(for: .sqs, Surroundings(variables: [:])).sts.tls.caFile == "/ca")
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
