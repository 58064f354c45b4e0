import Testing

@testable import OutboxCLI

/// Where a relay listens, as it is written.
@Suite(.timeLimit(.minutes(1))) struct ListenAddressTests {
    @Test(arguments: [
        ("127.0.0.1:9464", "127.0.0.1", 9464, true), (":9464", "127.0.0.1", 9464, true), ("[::1]:0", "::1", 0, true),
        ("0.0.0.0:65535", "0.0.0.0", 65535, false), ("localhost:80", "localhost", 80, true),
        ("[fe80::1%eth0]:1", "fe80::1%eth0", 1, false), ("metrics.internal:9464", "metrics.internal", 9464, false),
        ("127.example.org:1", "127.example.org", 1, false), ("127.0.0.1.example:1", "127.0.0.1.example", 1, false),
    ])
    func anAddressIsAHostAndAPort(text: String, host: String, port: Int, isLoopback: Bool) throws {
        let address = try ListenAddress(text)
        #expect(address.host == host && address.port == port && address.isLoopback == isLoopback)
        #expect(try ListenAddress(address.description) == address)
    }

    @Test(arguments: [
        ("9464", "“:9464” for this machine alone"), ("", "is an address with a port"), ("localhost", "with a port"),
        (":", "whose port is 0 to 65535"), (":65536", "whose port is 0 to 65535"), (":-1", "whose port is 0 to 65535"),
        (":94a4", "whose port is 0 to 65535"), ("::1:9464", "one of IPv6 stands in brackets"),
        ("*:9464", "all of this machine's are 0.0.0.0:9464 or [::]:9464"),
        ("http://a:80", "without a scheme or a path"),
        ("a b:80", "such as 127.0.0.1:9464"), ("[a]:80", "such as 127.0.0.1:9464"), ("[]:80", "such as"),
        ("a\n:80", "such as"), (":٩", "whose port is 0 to 65535"),
    ])
    func whatIsNoneIsExplained(text: String, part: String) {
        #expect {
            try ListenAddress(text)
        } throws: { error in
            (error as? SettingDefect).map { $0.rule.hasPrefix("is an address") && $0.rule.contains(part) } == true
        }
    }
}
