import Testing

@testable import OutboxRuntime

@Suite(.timeLimit(.minutes(5))) struct BrokerURLTests {
    private static let ports = ["amqp": 5672, "amqps": 5671]

    @Test func everything() throws {
        let url = try BrokerURL(
            "amqps://us%40er:p%3Ass:word@one:1,[::1]:2,three/v%2Fhost?a=1&b=%26&a=", ports: Self.ports)
        #expect(url.scheme == "amqps" && url.user == "us@er" && url.password == "p:ss:word" && url.path == "v/host")
        #expect(
            url.hosts == [.init(name: "one", port: 1), .init(name: "::1", port: 2), .init(name: "three", port: 5671)])
        #expect(url.hosts.map(\.description) == ["one:1", "[::1]:2", "three:5671"])
        #expect(
            url.parameters == [.init(name: "a", value: "1"), .init(name: "b", value: "&"), .init(name: "a", value: "")])
    }

    @Test func theLeast() throws {
        let url = try BrokerURL("amqp://localhost", ports: Self.ports)
        #expect(url.user == nil && url.password == nil && url.path == nil && url.parameters.isEmpty)
        #expect(url.hosts == [.init(name: "localhost", port: 5672)])
        #expect(try BrokerURL("AMQP://localhost/", ports: Self.ports).path == "")
    }

    @Test(arguments: [
        "localhost:5672", "amqp:localhost", "http://localhost", "amqp://", "amqp://a,,b", "amqp://a:0",
        "amqp://a:70000",
        "amqp://a:b", "amqp://::1", "amqp://[::1", "amqp://[::1]5", "amqp://a/%zz", "amqp://a?b", "amqp://a?=1",
        "amqp://s%3cret:p%ss@a", "amqp://a#b", "amqp://a/%00", "amqp://a/%+f", "amqp://a/%ff", "amqp://:1",
    ])
    func whatIsWrong(_ text: String) {
        let error = #expect(throws: InvalidText.self) { try BrokerURL(text, ports: Self.ports) }
        #expect(error.map { !$0.description.contains("cret") && !$0.description.contains("p%ss") } == true)
    }

    @Test func aNumberSignIsOneInAParameter() throws {
        let url = try BrokerURL("amqp://a/v?binding_key=#&routing_key=a.#.b", ports: Self.ports)
        #expect(url.parameters.map(\.value) == ["#", "a.#.b"])
        let error = #expect(throws: InvalidText.self) {
            try BrokerURL("amqp://me:a#b@h?x=y", ports: Self.ports)
        }
        #expect(error?.description.contains("%23") == true)
    }

    /// Else the rest of a password would be a virtual host, and its beginning a port.
    @Test func anAtInThePathIsTheEndOfAPassword() {
        let error = #expect(throws: InvalidText.self) {
            try BrokerURL("amqp://me:12/s3cret@h", ports: Self.ports)
        }
        #expect(error?.description.contains("%2F") == true && error?.description.contains("s3cret") == false)
    }

    @Test func theNearestSchemeIsNamed() {
        let error = #expect(throws: InvalidText.self) { try BrokerURL("amq://a", ports: Self.ports) }
        #expect(error?.description.contains("did you mean “amqp”?") == true)
    }

    @Test(arguments: [
        "amqp://one,two:3/v?a=b@c", "amqp://user@one,two:3/v?a=b@c", "amqp://user:word@one,two:3/v?a=b@c",
    ])
    func userAndPasswordCanBeReplaced(_ text: String) throws {
        let address = BrokerURL.address(text, user: "a/b", password: "p@:?\u{1}ö")
        let url = try BrokerURL(address, ports: Self.ports)
        #expect(url.user == "a/b" && url.password == "p@:?\u{1}ö")
        #expect(url.hosts == [.init(name: "one", port: 5672), .init(name: "two", port: 3)])
        #expect(url.path == "v" && url.parameters == [.init(name: "a", value: "b@c")])
    }
}
