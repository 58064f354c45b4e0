import ArgumentParser
import BenchmarkReferences
import Outbox

/// A service that is spoken to by HTTP, in place of which a server in this process takes everything and keeps nothing.
@safe final class HTTPService: Sendable {
    private nonisolated(unsafe) let server: OpaquePointer
    private let service: reference_http_service
    /// How many messages a request of the program in C has.
    private let batch: Int
    private let options: HTTPOptions

    init(_ service: reference_http_service, batch: Int, _ options: HTTPOptions) throws {
        guard let server = unsafe reference_http_server_start(service, options.answerAfter.duration.inSeconds) else {
            throw BenchFailure("the server in place of the service does not start")
        }
        unsafe self.server = server
        self.service = service
        self.batch = batch
        self.options = options
    }

    deinit { unsafe reference_http_server_stop(self.server) }

    /// Where it listens.
    var url: String { unsafe "http://127.0.0.1:\(reference_http_server_port(self.server))" }

    /// How many requests the transport may have under way.
    var connections: Int { self.options.connections }

    /// What a broker is called, with the time that it takes for an answer.
    func named(_ name: String) -> String { self.options.named(name) }

    /// Whether it answers at once.
    var isImmediate: Bool { self.options.answerAfter.duration == .zero }

    /// What the program in C does: as many requests at the same time as the transport has, whose lanes have a batch each under way.
    ///
    /// - Parameters:
    ///   - held: How many messages are in memory.
    ///   - share: How many messages a lane's batch has; nil: that is no limit.
    func reference(
        _ work: reference_http_work, messages: Int, size: Int, held: Int, share: Int? = nil
    ) async throws -> Reference.Outcome {
        let count = min(share ?? .max, self.batch)
        let underWay = share.map { (($0 + count - 1) / count) * brokerLanes } ?? .max
        return try await Reference.run("libcurl in C") {
            unsafe reference_http(
                self.url + "/", self.service, work, Int64(messages), Int32(size), Int64(held),
                Int32(count), Int32(min(underWay, self.connections)))
        }
    }
}

/// A broker that is such a service.
protocol HTTPBenchBroker: BenchBroker {
    var service: HTTPService { get }
}

extension HTTPBenchBroker {
    var content: BenchOutbox.Content { .lines }

    /// It makes the bodies out of the payloads, signs them, and reads the answers, as a transport does. Its requests have as many messages as
    /// those of the transport, whose batches a relay limits.
    var referenceName: String { "libcurl in C, all of it" }

    func reference(messages: Int, size: Int, window: Int) async throws -> Reference.Outcome {
        try await self.service.reference(
            REFERENCE_HTTP_DOES_ALL, messages: messages, size: size, held: BrokerBenchmark<Self>.held(ofWindow: window),
            share: BrokerBenchmark<Self>.share(ofWindow: window))
    }

    var bareReferenceName: String? { self.service.isImmediate ? "libcurl in C, sends" : nil }

    /// Its requests are full, and were made before the time begins.
    func bareReference(messages: Int, size: Int, window: Int) async throws -> Reference.Outcome {
        try await self.service.reference(REFERENCE_HTTP_SENDS, messages: messages, size: size, held: 1)
    }

    /// Nothing is kept.
    func empty() async throws {}
}

/// How a service is spoken to by HTTP.
struct HTTPOptions: ParsableArguments {
    @Option(help: ArgumentHelp("How many requests may be under way.", valueName: "count"))
    var connections = 64

    @Option(
        help: ArgumentHelp(
            "How long the other side waits with each answer, as services on a network do.", valueName: "time"))
    var answerAfter = Interval(.zero)

    /// What a broker is called, with the time that it takes for an answer.
    func named(_ name: String) -> String {
        let duration = self.answerAfter.duration
        return duration == .zero ? name : "\(name) that answers after \(Figure.text(duration.inSeconds * 1000)) ms"
    }

    func validate() throws {
        if !(1...1000).contains(self.connections) { throw ValidationError("--connections is 1 to 1000.") }
    }
}
