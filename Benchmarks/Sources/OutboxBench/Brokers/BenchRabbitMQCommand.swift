import ArgumentParser
import BenchmarkReferences
import Outbox
import OutboxAMQP
import OutboxTestServers

/// `outbox-bench rabbitmq`: the transport to RabbitMQ.
struct BenchRabbitMQCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "rabbitmq",
        abstract: "To RabbitMQ with confirms, beside a program in C with librabbitmq; and all the way from Postgres.",
        discussion: """
            Starts a RabbitMQ of its own, with one durable queue of persistent messages.

            EXAMPLES:
              outbox-bench rabbitmq
              outbox-bench rabbitmq --messages 500000 --window 1000
            """)

    @OptionGroup
    var options: BenchOptions

    @OptionGroup
    var load: BrokerLoadOptions

    func measure(_ harness: Harness) async throws -> [Comparison] {
        Harness.say("a RabbitMQ is started")
        return try await EphemeralRabbitMQ.with { server in
            try await self.load.benchmark(RabbitMQ(server: server)).measure(harness)
        }
    }

    /// A RabbitMQ with one queue.
    private struct RabbitMQ: BenchBroker {
        private static let queue = "bench"

        let server: EphemeralRabbitMQ

        var name: String { "RabbitMQ" }
        var referenceName: String { "librabbitmq in C" }

        func transport(window: Int) throws -> any Transport {
            try AMQPTransport("\(self.server.url)?queue=\(Self.queue)&window=\(window)", logger: .quiet)
        }

        func reference(messages: Int, size: Int, window: Int) async throws -> Reference.Outcome {
            let port = Int32(self.server.port)
            return try await Reference.run(self.referenceName) {
                unsafe reference_amqp("127.0.0.1", port, Self.queue, Int64(messages), Int32(size), Int32(window))
            }
        }

        func empty() async throws {
            _ = try await self.server.rabbitmqctl("purge_queue", Self.queue)
        }
    }
}

/// How much is sent to a broker.
struct BrokerLoadOptions: ParsableArguments {
    @Option(help: ArgumentHelp("How many messages, for each measurement.", valueName: "count"))
    var messages = 100_000

    @Option(help: ArgumentHelp("How long a payload is, in bytes.", valueName: "bytes"))
    var size = 200

    @Option(help: ArgumentHelp("How many messages may be on their way to the broker.", valueName: "count"))
    var window = 2000

    @Option(help: ArgumentHelp("How many single messages, for the latency.", valueName: "count"))
    var singles = 100

    @Flag(help: "Measure the transport alone, without the whole way from Postgres.")
    var alone = false

    func validate() throws {
        try BenchLimits.check(messages: self.messages)
        try BenchLimits.check(messages: self.singles)
        try BenchLimits.check(size: self.size)
        if !(1...100_000).contains(self.window) { throw ValidationError("--window is 1 to 100000.") }
    }

    func benchmark<Broker: BenchBroker>(_ broker: Broker) -> BrokerBenchmark<Broker> {
        BrokerBenchmark(
            broker: broker, messages: self.messages, size: self.size, window: self.window, singles: self.singles,
            isAlone: self.alone)
    }
}
