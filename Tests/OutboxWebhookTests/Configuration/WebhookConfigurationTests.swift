import Outbox
import OutboxTesting
import Testing

@testable import OutboxWebhook

@Suite(.timeLimit(.minutes(1))) struct WebhookConfigurationTests {
    private static let secret = TransportUnderTest.secret

    @Test func everything() throws {
        let configuration = try WebhookConfiguration(
            url:
                "https://us%40er:p%26ss@hooks.example:8443/x/{route}?customer={key}&outbox.method=put&outbox.id=shop-{id}"
                + "&outbox.content_type=text/plain&outbox.headers=x-a,x-b-*&outbox.header_prefix=X-Msg-"
                + "&outbox.header.X-Tenant=t1&outbox.idempotency_header=&outbox.max_message_size=100"
                + "&outbox.secret=\(Self.secret),\(Self.secret)&outbox.events=structured&outbox.source=/shop&outbox.type={route}"
                + "&outbox.subject={key}&outbox.schema=https://s.example/{route}&outbox.allow=10.0.0.0/8,hooks.internal"
                + "&outbox.timeout=3s&outbox.connect_timeout=500ms&outbox.concurrency=7&outbox.rate=0.5&outbox.key_order=pipelined"
                + "&outbox.failures=2&outbox.initial_pause=2&outbox.maximum_pause=9&outbox.maximum_retry_after=1m&outbox.gone=reject"
                + "&outbox.proxy=http://proxy:3128&outbox.verify_host=false&z=%26")
        #expect(configuration.address == "https://hooks.example:8443/x/{route}?customer={key}&z=%26")
        #expect(configuration.request.method == .put && configuration.request.id.text == "shop-{id}")
        #expect(
            configuration.request.contentType == "text/plain"
                && configuration.request.messageHeaders == ["x-a", "x-b-*"])
        #expect(configuration.request.messageHeaderPrefix == "X-Msg-" && configuration.request.idempotencyHeader == nil)
        #expect(configuration.request.headers.map { "\($0.key)=\($0.value)" } == ["x-tenant=t1"])
        #expect(configuration.request.maximumMessageSize == 100 && configuration.signing.keys.count == 2)
        let events = try #require(configuration.cloudEvents)
        #expect(events.mode == .structured && events.source.text == "/shop" && events.type?.text == "{route}")
        #expect(events.subject?.text == "{key}" && events.dataSchema?.text == "https://s.example/{route}")
        #expect(configuration.allowedAddresses == ["10.0.0.0/8", "hooks.internal"])
        #expect(configuration.credentials == .basic(user: "us@er", password: "p&ss"))
        let limits = configuration.limits
        #expect(limits.timeout == .seconds(3) && limits.connectTimeout == .milliseconds(500))
        #expect(limits.requestsPerHost == 7 && limits.requestsPerSecond == 0.5 && limits.keyOrder == .pipelined)
        #expect(
            configuration.outage
                == .init(
                    failures: 2, initialPause: .seconds(2), maximumPause: .seconds(9), maximumRetryAfter: .seconds(60),
                    gone: .rejected))
        #expect(configuration.proxy == "http://proxy:3128" && configuration.tls.verifiesHost == false)
        _ = try WebhookTransport(configuration)
    }

    @Test func theLeast() throws {
        let configuration = try WebhookConfiguration(url: "https://hooks.example")
        #expect(configuration.address == "https://hooks.example/" && configuration.signing.keys.isEmpty)
        #expect(
            configuration.cloudEvents == nil && configuration.credentials == nil
                && configuration.allowedAddresses.isEmpty)
        #expect(try WebhookTransport(configuration).description == "https://hooks.example/")
    }

    @Test(arguments: [
        ("outbox.secrt=\(secret)", "did you mean “outbox.secret”?"), ("outbox_secret=\(secret)", "begins with outbox."),
        ("outbox.nothing=1", "known are"), ("outbox.method=get", "is one of post, put"),
        ("outbox.timeout=soon", "is a time"),
        ("outbox.timeout=0", "more than nothing"), ("outbox.concurrency=0", "from 1 to"),
        ("outbox.rate=-1", "requests in a second"),
        ("outbox.events=xml", "is one of binary, structured"), ("outbox.type=a", "give “outbox.events”"),
        ("outbox.secret=whsec_short", "24 to 64 bytes"), ("outbox.secret=abc", "whsec_ or whsk_"),
        ("outbox.secret", "NAME=VALUE"),
        ("outbox.secret=\(secret)&outbox.secret=\(secret)", "given twice"), ("outbox.id=x", "contains {id}"),
        ("outbox.id=a.{id}", "full stop"), ("outbox.id=orders-{{id}}", "contains {id}"),
        ("outbox.id={{{{id}}}}", "contains {id}"),
        ("outbox.id={header.x{id}", "contains {id}"), ("outbox.id=a%20{id}", "ASCII"), ("outbox.id=ä{id}", "ASCII"),
        ("outbox.idempotency_header=webhook-signature", "cannot have"),
        ("outbox.idempotency_header=Authorization", "cannot have"),
        ("outbox.idempotency_header=X-Id&outbox.header.x-id=1", "given twice"),
        ("outbox.rate=1e-300", "one request a day"),
        ("outbox.headers=authorization", "cannot come from a message"), ("outbox.headers=a%3Ab", "names of headers"),
        ("outbox.header.Content-Length=5", "own"), ("outbox.header.webhook-id=5", "own"),
        ("outbox.header.a%20b=5", "name"),
        ("outbox.header.X=a%0d%0ab", "line break"), ("outbox.allow=10.0.0.1/8", "the block is 10.0.0.0/8"),
        ("outbox.hosts=a.example", "host that comes from the message"),
        ("outbox.content_type=json", "such as application/json"),
        ("outbox.secret_file=/nothing/there", "cannot be read"), ("outbox.gone=yes", "is one of hold, reject"),
        ("outbox.initial_pause=5m", "at most as long"), ("outbox.failures=0", "from 1"),
        ("outbox.ca_file=/nothing/there", "ca_file"),
        ("outbox.token=a%0ab", "line break"), ("outbox.events=binary&outbox.source=", "source"),
        ("outbox.timeout=2d", "a day"),
    ])
    func whatIsWrongIsSaid(_ query: String, _ text: String) throws {
        let error = #expect(throws: TransportConfigurationError.self) {
            try WebhookTransport("https://hooks.example/x?y=1&\(query)")
        }
        let description = error?.description ?? ""
        #expect(description.contains(text), "\(description)")
        #expect(!description.contains(Self.secret.dropFirst(6)), "\(description)")
    }

    @Test func credentialsAreForAHostThatIsKnown() {
        for text in [
            "https://u:p@{header.h}/?outbox.hosts=*", "https://{header.h}/?outbox.hosts=*&outbox.token=secret-token",
            "https://u@hooks.example/", "https://u:p@hooks.example/?outbox.token=a",
            "https://{header.h}/?outbox.hosts=*&outbox.header.authorization=secret-token",
            "https://{header.h}/?outbox.hosts=*&outbox.header.Cookie=secret-token",
            "https://{destination}.example/?outbox.hosts=*.example&outbox.header.X-Api-Key=secret-token",
            "https://u:p@hooks.example/?outbox.header.authorization=a", "http://hooks.example/?outbox.ca_file=/a",
        ] {
            let error = #expect(throws: TransportConfigurationError.self) { try WebhookTransport(text) }
            #expect(!(error?.description.contains("secret-token") ?? true))
        }
    }

    /// Two braces in a row are one.
    @Test func idsWithBraces() throws {
        for text in ["{{{id}}}", "{{id}}-{id}", "{key}{id|x}", "{id}"] {
            #expect(throws: Never.self, "\(text)") {
                try WebhookTransport("https://hooks.example/x?outbox.id=\(text)")
            }
        }
    }

    /// Whatever is printed, there is no secret in it.
    @Test func secretsAreNeverPrinted() throws {
        var configuration = try WebhookConfiguration(
            url:
                "https://ada:pass-word@hooks.example/x?token=query-token&outbox.secret=\(Self.secret)&outbox.header.X-Key=header-secret"
        )
        let transport = try WebhookTransport(configuration)
        var texts = ["\(configuration)", "\(transport)", "\(configuration.signing)", "\(configuration.signing.keys)"]
        texts.append("\(configuration.request)")
        texts.append("\(configuration.credentials as Any)")
        configuration.credentials = .bearer("bearer-token")
        texts.append("\(configuration.credentials as Any)")
        var dumped = ""
        dump(configuration, to: &dumped)
        dump(configuration.signing, to: &dumped)
        dump(configuration.credentials, to: &dumped)
        dump(configuration.request, to: &dumped)
        texts.append(dumped)
        for text in texts {
            for secret in [
                "pass-word", "query-token", "header-secret", "bearer-token", String(Self.secret.dropFirst(6)),
            ] {
                #expect(!text.contains(secret), "\(text)")
            }
        }
    }

    @Test func secretsOfTheEnvironment() throws {
        var configuration = try WebhookConfiguration(url: "https://hooks.example/x")
        try configuration.takeSecrets(from: [
            "OUTBOX_WEBHOOK_SECRET": "\(Self.secret) \(Self.secret)", "OUTBOX_WEBHOOK_TOKEN": "t",
        ])
        #expect(configuration.signing.keys.count == 2 && configuration.credentials == .bearer("t"))
        // What is given in the address has the last word.
        var given = try WebhookConfiguration(url: "https://u:p@hooks.example/x?outbox.secret=\(Self.secret)")
        try given.takeSecrets(from: [
            "OUTBOX_WEBHOOK_SECRET": "\(Self.secret),\(Self.secret)", "OUTBOX_WEBHOOK_TOKEN": "t",
        ])
        #expect(given.signing.keys.count == 1 && given.credentials == .basic(user: "u", password: "p"))
        var basic = try WebhookConfiguration(url: "https://hooks.example/x")
        try basic.takeSecrets(from: ["OUTBOX_WEBHOOK_USERNAME": "u", "OUTBOX_WEBHOOK_PASSWORD": "p"])
        #expect(basic.credentials == .basic(user: "u", password: "p") && basic.signing.keys.isEmpty)
        let error = #expect(throws: TransportConfigurationError.self) {
            try basic.takeSecrets(from: ["OUTBOX_WEBHOOK_SECRET": "whsec_sECret"])
        }
        #expect(error?.description == "OUTBOX_WEBHOOK_SECRET: a secret is whsec_ and 24 to 64 bytes in base64")
    }
}
