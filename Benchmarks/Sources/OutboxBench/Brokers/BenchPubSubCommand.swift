import ArgumentParser
import BenchmarkReferences
import Foundation
import Outbox
import OutboxPubSub

/// `outbox-bench pubsub`: the transport to Google Cloud Pub/Sub.
struct BenchPubSubCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "pubsub",
        abstract:
            "To Pub/Sub, beside a program in C with libcurl that sends the same requests; and all the way from Postgres.",
        discussion: """
            In place of Pub/Sub, a server in this process publishes everything, by HTTP/2 with TLS. Both send as many messages a request as \
            a relay has given the transport for one; with ordering keys, of which there are 10,000, that is one.

            EXAMPLES:
              outbox-bench pubsub
              outbox-bench pubsub --ordered --connections 100
            """)

    @OptionGroup
    var options: BenchOptions

    @OptionGroup
    var load: BrokerLoadOptions

    @OptionGroup
    var http: HTTPOptions

    @Flag(help: "With ordering keys, as the transport has them unless it is told otherwise.")
    var ordered = false

    func measure(_ harness: Harness) async throws -> [Comparison] {
        let topic = Topic(service: try GRPCService(self.http), options: self.http, isOrdered: self.ordered)
        return try await self.load.benchmark(topic).measure(harness)
    }

    private struct Topic: BenchBroker {
        let service: GRPCService
        let options: HTTPOptions
        let isOrdered: Bool

        var name: String { self.options.named(self.isOrdered ? "Pub/Sub with ordering keys" : "Pub/Sub") }
        var referenceName: String { GRPCService.referenceName }

        func transport(window: Int) throws -> any Transport {
            var configuration = PubSubConfiguration(
                project: "bench", topic: "bench", ordering: self.isOrdered ? .byKey : .none,
                endpoint: self.service.endpoint,
                credentials: .custom { PubSubCredentials.Token("not-a-secret", expiresIn: .seconds(3600)) })
            configuration.tls.caFile = self.service.certificate
            configuration.delivery.requestsInFlight = self.options.connections
            return try PubSubTransport(configuration, logger: .quiet)
        }

        /// A lane has one batch under way, which is one request where its messages have no ordering keys.
        func reference(messages: Int, size: Int, window: Int) async throws -> Reference.Outcome {
            return try await self.service.reference(
                messages: messages, size: size, held: BrokerBenchmark<Self>.held(ofWindow: window),
                isOrdered: self.isOrdered,
                batch: self.isOrdered ? 1 : min(max(2 * window / brokerLanes, 1), 1000),
                requests: self.isOrdered ? self.options.connections : min(self.options.connections, brokerLanes))
        }

        /// Nothing is kept.
        func empty() async throws {}
    }
}

/// Pub/Sub, in place of which a server in this process publishes everything and keeps nothing.
@safe final class GRPCService: Sendable {
    private nonisolated(unsafe) let server: OpaquePointer
    /// What the program in C is called.
    static let referenceName = "libcurl in C, all of it"

    /// The file of the certificate that is to be trusted.
    let certificate: String

    init(_ options: HTTPOptions) throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(
            "outbox-bench-\(UUID().uuidString).pem")
        self.certificate = file.path
        guard
            let server = unsafe reference_grpc_server_start(
                file.path, options.answerAfter.duration.inSeconds)
        else {
            throw BenchFailure("the server in place of Pub/Sub does not start")
        }
        unsafe self.server = server
    }

    deinit {
        unsafe reference_grpc_server_stop(self.server)
        try? FileManager.default.removeItem(atPath: self.certificate)
    }

    /// Where it listens.
    var endpoint: String { unsafe "localhost:\(reference_grpc_server_port(self.server))" }

    /// What the program in C does.
    func reference(
        messages: Int, size: Int, held: Int, isOrdered: Bool, batch: Int, requests: Int
    ) async throws -> Reference.Outcome {
        let url = "https://\(self.endpoint)/google.pubsub.v1.Publisher/Publish"
        return try await Reference.run(Self.referenceName) {
            unsafe reference_publish(
                url, self.certificate, Int64(messages), Int32(size), Int64(held), isOrdered ? 1 : 0,
                Int32(batch), Int32(requests))
        }
    }
}
