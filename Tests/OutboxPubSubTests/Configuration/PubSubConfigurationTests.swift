import Outbox
import Testing

@testable import OutboxPubSub

@Suite(.timeLimit(.minutes(1))) struct PubSubConfigurationTests {
    @Test func anAddressSaysEverything() throws {
        let configuration = try PubSubConfiguration(
            url:
                "pubsub://my-project/orders-{route|other}?ordering_key={header.tenant|none}&id_attribute=id&route_attribute="
                + "&enqueued_at_attribute=&endpoint=us-east1-pubsub.googleapis.com&credentials=%2Fetc%2Fkey.json&token=exchanged"
                + "&proxy=http://proxy:3128&timeout=10s&connect_timeout=500ms&messages_per_request=10&requests_in_flight=7"
                + "&ca_file=/etc/ca.pem&verify_host=false")
        #expect(configuration.project == "my-project" && configuration.topic == "orders-{route|other}")
        #expect(configuration.ordering == .by("{header.tenant|none}"))
        #expect(configuration.attributes == .init(id: "id", route: nil, enqueuedAt: nil))
        #expect(configuration.endpoint == "us-east1-pubsub.googleapis.com")
        if case .file("/etc/key.json") = configuration.credentials.kind {} else { Issue.record("credentials") }
        #expect(configuration.credentials.exchangesTokens)
        #expect(configuration.proxy == "http://proxy:3128")
        #expect(
            configuration.delivery
                == .init(
                    timeout: .seconds(10), connectTimeout: .milliseconds(500), messagesPerRequest: 10,
                    requestsInFlight: 7))
        #expect(configuration.tls == TLSSettings(caFile: "/etc/ca.pem", verifiesHost: false))
        #expect(configuration.description == "pubsub://my-project/orders-{route|other}")
    }

    @Test func anAddressNeedsOnlyAProject() throws {
        let configuration = try PubSubConfiguration(url: "pubsub://example.com%3Ashop")
        #expect(configuration.project == "example.com:shop" && configuration.topic == "{route}")
        #expect(configuration.ordering == .byKey && configuration.defect == nil)
        #expect(try PubSubConfiguration(url: "pubsub://shop?ordering_key=").ordering == .none)
    }

    @Test(arguments: [
        ("pubsub:///orders", "no name"), ("kafka://shop/orders", "pubsub://"),
        ("pubsub://a,b/orders", "pubsub://PROJECT/TOPIC"),
        ("pubsub://me:secret-word@shop/orders", "credentials are"),
        ("pubsub://shop/orders?orderingkey=x", "did you mean “ordering_key”"),
        ("pubsub://shop/orders?secret-word", "parameter 1"), ("pubsub://shop/orders?zzz=secret-word", "known are"),
        ("pubsub://shop/orders?topic=x", "given twice"), ("pubsub://shop/o{routee}", "did you mean “route”"),
        ("pubsub://shop/orders?timeout=x", "“timeout”"), ("pubsub://shop/orders?token=x", "exchanged, self-signed"),
        ("pubsub://shop/orders?timeout=1&timeout=2", "given twice"),
        ("pubsub://shop/orders?verify_peer=maybe", "false, true"),
    ])
    func anAddressThatCannotBeReadSaysWhy(url: String, reason: String) {
        let error = #expect(throws: TransportConfigurationError.self) { try PubSubConfiguration(url: url) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("secret-word") == false)
    }

    @Test(arguments: [
        ("pubsub://Shop/orders", "project’s id"), ("pubsub://shop/o", "from 3 to 255"),
        ("pubsub://shop/1abc", "begins with a letter"),
        ("pubsub://shop/google-x", "goog"), ("pubsub://shop/a%20b", "only letters"),
        ("pubsub://shop/orders?timeout=0", "“timeout”"),
        ("pubsub://shop/orders?timeout=2d", "“timeout”"),
        ("pubsub://shop/orders?messages_per_request=1001", "1 to 1000"),
        ("pubsub://shop/orders?requests_in_flight=0", "1 to 10000"),
        ("pubsub://shop/orders?id_attribute=googid", "goog"),
        ("pubsub://shop/orders?id_attribute=a&route_attribute=a", "two attributes have one name"),
        ("pubsub://shop/orders?endpoint=http://", "“endpoint” is a host"),
        ("pubsub://shop/orders?endpoint=ftp://x", "“endpoint” is a host"),
        ("pubsub://shop/orders?endpoint=host/path", "“endpoint” is a host"),
        ("pubsub://shop/orders?endpoint=user@host", "“endpoint” is a host"),
        ("pubsub://shop/orders?cert_file=/x", "“cert_file” and “key_file”"),
    ])
    func aTransportThatCannotWorkIsNotMade(url: String, reason: String) {
        let error = #expect(throws: TransportConfigurationError.self) { try PubSubTransport(url) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }

    @Test func theEmulatorIsNamedByTheEnvironment() throws {
        let emulator = ["PUBSUB_EMULATOR_HOST": "localhost:8085"]
        #expect(try PubSubEndpoint(nil, environment: [:]) == .google)
        let plain = try PubSubEndpoint(nil, environment: emulator)
        #expect(plain.base == "http://localhost:8085" && plain.isPlain)
        let regional = try PubSubEndpoint("us-east1-pubsub.googleapis.com:443", environment: emulator)
        #expect(regional.base == "https://us-east1-pubsub.googleapis.com:443" && !regional.isPlain)
        #expect(throws: TransportConfigurationError.self) {
            try PubSubEndpoint(nil, environment: ["PUBSUB_EMULATOR_HOST": "localhost:"])
        }
    }

    @Test func whatIsSecretIsNotPrinted() throws {
        var text = ""
        let token = PubSubCredentials.Token("ya29.secret-word", expiresIn: .seconds(60))
        let configuration = PubSubConfiguration(
            project: "shop", credentials: .custom { token }, tls: TLSSettings(keyPassword: "secret-word"))
        dump(configuration, to: &text)
        dump(token, to: &text)
        text += "\(configuration) \(token) \(configuration.credentials)"
        #expect(!text.contains("secret-word"))
    }
}
