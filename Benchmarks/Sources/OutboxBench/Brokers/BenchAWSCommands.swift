import ArgumentParser
import BenchmarkReferences
import Outbox
import OutboxAWS

/// `outbox-bench sqs`: the transport to Amazon SQS.
struct BenchSQSCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "sqs",
        abstract: "To SQS, beside two programs in C with libcurl; and all the way from Postgres.",
        discussion: """
            In place of SQS, a server in this process answers that it has everything. All send 10 messages a request. One program in C does \
            all of what the transport does: it writes the payloads as JSON, signs, and reads what became of each message. The other sends \
            bytes that were made before, without a signature, and reads nothing.

            EXAMPLES:
              outbox-bench sqs
              outbox-bench sqs --messages 1000000 --connections 32
            """)

    @OptionGroup
    var options: BenchOptions

    @OptionGroup
    var load: BrokerLoadOptions

    @OptionGroup
    var http: HTTPOptions

    func measure(_ harness: Harness) async throws -> [Comparison] {
        let service = try HTTPService(REFERENCE_HTTP_SQS, batch: 10, self.http)
        return try await self.load.benchmark(Queue(service: service, connections: self.http.connections)).measure(
            harness)
    }

    private struct Queue: HTTPBenchBroker {
        let service: HTTPService
        let connections: Int

        var name: String { self.service.named("SQS") }

        func transport(window: Int) throws -> any Transport { try self.transport(.text) }
        func transportOfBytes(window: Int) throws -> any Transport { try self.transport(.base64) }

        private func transport(_ encoding: SQSConfiguration.Encoding) throws -> any Transport {
            let configuration = SQSConfiguration(
                queue: try MessageTemplate(self.service.url + "/000000000000/bench"),
                content: .init(encoding: encoding),
                aws: AWSConfiguration(self.service, connections: self.connections))
            return try SQSTransport(configuration, logger: .quiet)
        }
    }
}

/// `outbox-bench kinesis`: the transport to Amazon Kinesis Data Streams.
struct BenchKinesisCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "kinesis",
        abstract: "To Kinesis, beside two programs in C with libcurl; and all the way from Postgres.",
        discussion: """
            In place of Kinesis, a server in this process answers that it has everything. One program in C does all of what the transport \
            does: it writes the payloads in base 64, signs, and reads what became of each message; its requests have as many messages as a \
            relay has given the transport for one. The other sends bytes that were made before, 500 messages a request, without a signature, \
            and reads nothing.

            EXAMPLES:
              outbox-bench kinesis
              outbox-bench kinesis --messages 1000000 --window 32000
            """)

    @OptionGroup
    var options: BenchOptions

    @OptionGroup
    var load: BrokerLoadOptions

    @OptionGroup
    var http: HTTPOptions

    func measure(_ harness: Harness) async throws -> [Comparison] {
        let service = try HTTPService(REFERENCE_HTTP_KINESIS, batch: 500, self.http)
        return try await self.load.benchmark(Stream(service: service, connections: self.http.connections)).measure(
            harness)
    }

    private struct Stream: HTTPBenchBroker {
        let service: HTTPService
        let connections: Int

        var name: String { self.service.named("Kinesis") }

        func transport(window: Int) throws -> any Transport {
            let configuration = KinesisConfiguration(
                stream: "bench", aws: AWSConfiguration(self.service, connections: self.connections))
            return try KinesisTransport(configuration, logger: .quiet)
        }
    }
}

extension AWSConfiguration {
    /// A server in place of AWS, which verifies no signature.
    fileprivate init(_ service: HTTPService, connections: Int) {
        self.init(
            region: "us-east-1", endpoint: service.url,
            credentials: .fixed(AWSCredentials(accessKeyID: "AKIDEXAMPLE", secretAccessKey: "not a secret")),
            connection: .init(maximumConnections: connections))
    }
}
