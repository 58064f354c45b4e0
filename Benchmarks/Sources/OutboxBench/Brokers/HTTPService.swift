import ArgumentParser
import BenchmarkReferences
import Outbox

/// A service that is spoken to by HTTP, in place of which a server in this process takes everything and keeps nothing.
@safe final class HTTPService: Sendable {
    private nonisolated(unsafe) let server: OpaquePointer
    private let service: reference_http_service
    /// How many messages a request of the program in C has.
    private let batch: Int
    private let connections: Int

    init(_ service: reference_http_service, batch: Int, connections: Int) throws {
        guard let server = unsafe reference_http_server_start(service) else {
            throw BenchFailure("the server in place of the service does not start")
        }
        unsafe self.server = server
        self.service = service
        self.batch = batch
        self.connections = connections
    }

    deinit { unsafe reference_http_server_stop(self.server) }

    /// Where it listens.
    var url: String { unsafe "http://127.0.0.1:\(reference_http_server_port(self.server))" }

    /// What the program in C does: full requests, as many at the same time as the transport has at most.
    func reference(messages: Int, size: Int) async throws -> Reference.Outcome {
        try await Reference.run(HTTPService.referenceName) {
            unsafe reference_http(
                self.url + "/", self.service, Int64(messages), Int32(size), Int32(self.batch), Int32(self.connections))
        }
    }

    static let referenceName = "libcurl in C"
}

/// A broker that is such a service.
protocol HTTPBenchBroker: BenchBroker {
    var service: HTTPService { get }
}

extension HTTPBenchBroker {
    var referenceName: String { HTTPService.referenceName }

    func reference(messages: Int, size: Int, window: Int) async throws -> Reference.Outcome {
        try await self.service.reference(messages: messages, size: size)
    }

    /// Nothing is kept.
    func empty() async throws {}
}

/// How a service is spoken to by HTTP.
struct HTTPOptions: ParsableArguments {
    @Option(help: ArgumentHelp("How many requests may be under way.", valueName: "count"))
    var connections = 64

    func validate() throws {
        if !(1...1000).contains(self.connections) { throw ValidationError("--connections is 1 to 1000.") }
    }
}
