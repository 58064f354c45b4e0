import Outbox
import Testing

@testable import OutboxWebhook

@Suite(.timeLimit(.minutes(1))) struct AddressTemplateTests {
    private func url(
        _ template: String, hosts: [String] = [], _ message: NewMessage = .numbered(1, key: "k")
    ) throws -> String {
        try AddressTemplate(template, hosts: hosts).address(for: message.read).url
    }

    @Test(arguments: [
        ("https://hooks.example", "https://hooks.example/"),
        ("HTTPS://Hooks.Example:8443/a/b?c=d&e", "https://hooks.example:8443/a/b?c=d&e"),
        ("http://[2001:DB8::1]:80/a", "http://[2001:db8::1]/a"), ("https://a.example:443/a", "https://a.example/a"),
        ("https://a.example:80/a", "https://a.example:80/a"),
        ("https://a.example?x=1", "https://a.example/?x=1"),
        ("https://a.example/{route}/{key}?id={header.h|a&b?/#}", "https://a.example/order.placed/k?id=a%26b%3F%2F%23"),
        ("https://a.example/{destination}", "https://a.example/hooks"),
    ])
    func addresses(_ template: String, _ expected: String) throws {
        #expect(try self.url(template) == expected)
    }

    /// Nothing of a message can be more than a part of the path, or a value.
    @Test(arguments: [
        ("a/b", "a%2Fb"), ("..x/x..", "..x%2Fx.."), ("a?b=c&d#e", "a%3Fb%3Dc%26d%23e"), ("ö €", "%C3%B6%20%E2%82%AC"),
        ("%41", "%2541"), ("\r\nHost: evil", "%0D%0AHost%3A%20evil"), ("a@b:c", "a%40b%3Ac"), ("~-._", "~-._"),
    ])
    func valuesAreEncoded(_ value: String, _ encoded: String) throws {
        let message = NewMessage(to: "hooks", route: value, key: value, payload: [])
        #expect(
            try self.url("https://a.example/x/{route}/y?k={key}", message)
                == "https://a.example/x/\(encoded)/y?k=\(encoded)")
    }

    @Test(arguments: [".", ".."])
    func noMessageLeavesThePath(_ value: String) throws {
        let message = NewMessage(to: "hooks", route: value, key: "2e", payload: [])
        #expect(throws: MessageRefusal.self) { try self.url("https://a.example/x/{route}", message) }
        if value == "." {
            #expect(throws: MessageRefusal.self) { try self.url("https://a.example/x/%2E{route}/z", message) }
        }
        // Where it is a value or a part of a segment it does no harm.
        #expect(
            try self.url("https://a.example/x/a{route}?y={route}", message)
                == "https://a.example/x/a\(value)?y=\(value)")
    }

    /// Servers decode before they resolve, and some of them twice.
    @Test(arguments: [
        "../../admin", "a/../b", "..\\admin", "..;/admin", "x/..;a=b/c", "./x", "a/.", "%2e%2E", "%252e./x",
        "a%2f..%5cb", "..;",
        // Encoded so often that no server decodes it: what it is in the end is not found out.
        "%" + String(repeating: "25", count: 4000) + "41",
    ])
    func noMessageLeavesThePathByWhatIsDecoded(_ value: String) throws {
        let message = NewMessage(to: "hooks", route: value, key: "k", payload: [])
        #expect(throws: MessageRefusal(reason: "the address would have “.” or “..” as a part of its path")) {
            try self.url("https://a.example/x/{route}/y", message)
        }
        #expect(throws: Never.self) { try self.url("https://a.example/x?y={route}", message) }
    }

    /// Slack, Discord, Teams and others have a token in the path.
    @Test(arguments: [
        ("https://hooks.slack.example/services/T0000/B0000/s3cret", "https://hooks.slack.example/services/…"),
        ("https://a.example/s3cret-s3cret-s3cret?x=y", "https://a.example/…"),
        ("https://a.example/x/", "https://a.example/x/…"),
        ("https://a.example:8443/{route}/s3cret", "https://a.example:8443/{route}/…"),
        ("https://{destination}.example/", "https://{destination}.example/"),
    ])
    func tokensInPathsAreNotPrinted(_ address: String, _ shown: String) throws {
        let hosts = address.contains("{destination}") ? ["*.example"] : []
        #expect(try AddressTemplate(address, hosts: hosts).description == shown)
        let error = #expect(throws: TransportConfigurationError.self) {
            try AddressTemplate("https://a.example/s3cret/{nothing}", hosts: [])
        }
        #expect(error?.description.contains("s3cret") == false)
    }

    @Test func aUserIsNotDroppedInSilence() {
        let error = #expect(throws: TransportConfigurationError.self) {
            try AddressTemplate("https://user:s3cret@a.example/", hosts: [])
        }
        #expect(error?.description.contains("user") == true && error?.description.contains("s3cret") == false)
    }

    @Test func whatAMessageLacksRefusesIt() {
        #expect(throws: MessageRefusal(reason: "no address: the message has no header.x")) {
            try self.url("https://a.example/{header.x}")
        }
    }

    @Test func hostsThatComeFromTheMessage() throws {
        func url(_ host: String, _ hosts: [String]) throws -> String {
            try self.url("https://{header.host}:8443/x", hosts: hosts, .numbered(1, headers: ["host": host]))
        }
        #expect(try url("A.hooks.example", ["*.hooks.example"]) == "https://a.hooks.example:8443/x")
        #expect(try url("other.example", ["*.hooks.example", "other.example"]) == "https://other.example:8443/x")
        #expect(try url("anything", ["*"]) == "https://anything:8443/x")
        for host in ["hooks.example", "ahooks.example", "evil.example", "a.hooks.example.evil"] {
            #expect(throws: MessageRefusal.self) { try url(host, ["*.hooks.example"]) }
        }
        for host in [
            "a.example/", "u@a.example", "a.example:1", "a.example?x", "a.example#", "", "a b", "[::1",
            "bücher.example", "a..b",
        ] {
            #expect(throws: MessageRefusal.self) { try url(host, ["*"]) }
        }
        #expect(try url("[::1]", ["*"]) == "https://[::1]:8443/x")
        let template = try AddressTemplate("https://{header.host}/x", hosts: ["*"])
        #expect(!template.hasOneHost && !template.hasConstantHost && template.probe == nil)
    }

    @Test(arguments: [
        "https://{header.host}/x", "https://a.example/{", "https://a.example/{nothing}", "ftp://a.example", "a.example",
        "https:///x", "https://a.example:0/", "https://a.example:65536/", "https://a.example:x/", "https://:80/",
        "https://a.example/#x", "https://a.example/a b", "https://a.example/ö", "https://a.example/%4",
        "https://a.example/%zz",
        "https://a.example/a/../b", "https://a.example/%2e%2E/b", "https://bücher.example/", "https://a.example/{{x}}",
        "https://::1/", "https://a_b..c/", "https://a.example\r\n/", "https://{destination}:{route}/",
    ])
    func whatIsNoAddress(_ text: String) {
        #expect(throws: TransportConfigurationError.self) { try AddressTemplate(text, hosts: []) }
    }

    @Test func oneHostAndOneEndpoint() throws {
        func template(_ text: String, _ hosts: [String] = []) throws -> AddressTemplate {
            try AddressTemplate(text, hosts: hosts)
        }
        let constant = try template("https://a.example/x?y={key}")
        #expect(constant.hasOneHost && constant.hasOneEndpoint)
        #expect(constant.probe?.isWhole == false && constant.probe?.address.url == "https://a.example/")
        let path = try template("https://a.example/{route}")
        #expect(path.hasOneHost && !path.hasOneEndpoint)
        let destination = try template("https://{destination}.example/x", ["*.example"])
        #expect(destination.hasOneHost && destination.hasOneEndpoint && !destination.hasConstantHost)
        #expect(try template("https://a.example/x").probe?.isWhole == true)
        #expect(try template("https://a.example/x?token=secret").description == "https://a.example/x")
    }
}
