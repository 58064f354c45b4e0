import Outbox
import OutboxHTTP
import Testing

/// TLS and HTTP/2, with a server of another library.
@Suite(.timeLimit(.minutes(10))) struct EncryptionTests {
    private static func client(_ change: (inout HTTPConfiguration) -> Void) throws -> HTTPClient {
        var configuration = HTTPConfiguration.patient
        // The server takes 100 at a time on a connection.
        configuration.requestsPerHost = 100
        change(&configuration)
        return try HTTPClient(configuration)
    }

    private static func failure(_ client: HTTPClient, _ url: String) async throws -> HTTPFailure {
        try await withClient(client) {
            do {
                let response = try await client.send(HTTPRequest("POST", url, body: [1]))
                throw DeliveryFailure.retry("there is an answer: \(response.status)")
            } catch let failure as HTTPFailure {
                return failure
            }
        }
    }

    @Test(arguments: [true, false]) func manyRequestsAreUnderWayByHTTP2(tls: Bool) async throws {
        try await HTTP2Server.with(tls: tls) { server in
            let client = try Self.client { configuration in
                configuration.version = tls ? .upTo2 : .http2WithoutUpgrade
                configuration.tls.caFile = server.path("ca.pem")
            }
            let url = "\(tls ? "https" : "http")://localhost:\(server.port)/"
            try await withClient(client) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<300 {
                        group.addTask {
                            let body = Array("message \(number)".utf8) + Array(repeating: 0, count: number * 50)
                            let response = try await client.send(HTTPRequest("POST", url, body: body))
                            #expect(response.status == 200 && response.body == body)
                        }
                    }
                    try await group.waitForAll()
                }
            }
            let connections = try server.connections()
            // Without TLS that depends on the version of libcurl.
            #expect(!tls || connections == 1)
        }
    }

    @Test func onlyTheHostThatWasAskedForIsTrusted() async throws {
        try await HTTP2Server.with { server in
            // Another authority; another name; what the system trusts.
            let other = try Self.client { $0.tls.caFile = server.path("other.pem") }
            #expect(try await Self.failure(other, "https://localhost:\(server.port)/").kind == .tls)
            let named = try Self.client { $0.tls.caFile = server.path("ca.pem") }
            let failure = try await Self.failure(named, "https://127.0.0.1:\(server.port)/")
            #expect(failure.kind == .tls && !failure.mayHaveArrived)
            #expect(try await Self.failure(Self.client { _ in }, "https://localhost:\(server.port)/").kind == .tls)
            let careless = try Self.client { $0.tls = TLSSettings(verifiesPeer: false, verifiesHost: false) }
            let status = try await withClient(careless) {
                try await careless.send(HTTPRequest("POST", "https://127.0.0.1:\(server.port)/", body: [1])).status
            }
            #expect(status == 200)
        }
    }

    @Test func aServerMayAskForACertificate() async throws {
        try await HTTP2Server.with(["--verify-client"]) { server in
            let url = "https://localhost:\(server.port)/"
            let stranger = try Self.client { $0.tls.caFile = server.path("ca.pem") }
            // In TLS 1.3 the refusal comes after the client's side is ready.
            let refusal = try await Self.failure(stranger, url)
            #expect([.tls, .connectionLost].contains(refusal.kind))
            let known = try Self.client {
                $0.tls = TLSSettings(
                    caFile: server.path("ca.pem"), certificateFile: server.path("client.pem"),
                    keyFile: server.path("client.key"))
            }
            let status = try await withClient(known) {
                try await known.send(HTTPRequest("POST", url, body: [1])).status
            }
            #expect(status == 200)
        }
    }

    @Test func filesThatAreNotThereAreSaidAtOnce() {
        #expect(throws: TransportConfigurationError.self) { try Self.client { $0.tls.caFile = "/there/is/none.pem" } }
        #expect(throws: TransportConfigurationError.self) { try Self.client { $0.tls.certificateFile = "/dev/null" } }
    }
}
