import ArgumentParser
import BenchmarkReferences
import Logging
import Outbox
import OutboxPostgres
import Synchronization

/// `outbox bench drain`: how fast a backlog is read and handed to a closure that does nothing.
struct BenchDrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "A backlog into a closure that does nothing, beside a loop in C that only reads.",
        discussion: """
            EXAMPLES:
              outbox bench drain
              outbox bench drain --messages 5000000 --page 5000
            """)

    @OptionGroup
    var options: BenchOptions

    @Option(help: ArgumentHelp("How many messages wait.", valueName: "count"))
    var messages = 1_000_000

    @Option(help: ArgumentHelp("How long a payload is, in bytes.", valueName: "bytes"))
    var size = 200

    @Option(help: ArgumentHelp("How many messages are read at once, by both.", valueName: "count"))
    var page = 2000

    @Option(help: ArgumentHelp("How many closures run at the same time.", valueName: "count"))
    var concurrency = 64

    func validate() throws {
        if !(1...1024).contains(self.concurrency) { throw ValidationError("--concurrency is 1 to 1024.") }
        if self.messages < 1 { throw ValidationError("--messages is at least 1.") }
        if !(0...NewMessage.largestPayload).contains(self.size) { throw ValidationError("--size is 0 to 67108864.") }
        if !(1...10_000).contains(self.page) { throw ValidationError("--page is 1 to 10000.") }
    }

    func run() async throws {
        try await self.options.withServer { server in
            try await server.execute(
                """
                INSERT INTO $outbox.message (destination, payload, key)
                SELECT 'bench', decode(repeat('78', \(self.size)), 'hex'), 'key-' || i % 10000
                FROM generate_series(1, \(self.messages)) AS i
                """)
            try await server.execute("VACUUM ANALYZE $outbox.message")
            var comparison = Comparison(
                name: "drain", reference: "libpq in C", unit: "messages/s", target: 0.8)
            for run in 0...self.options.runs {
                let reference = try self.reference(server)
                let relay = try await self.relay(server, subscription: "bench \(run)")
                // The first fills the caches.
                if run > 0 { comparison.add(relay, reference: reference) }
            }
            self.options.report([comparison])
        }
    }

    private func reference(_ server: BenchServer) throws -> Double {
        let result = unsafe reference_drain(
            server.connectionString, server.schema.identifier + ".message", "bench", Int32(self.page))
        let error = unsafe withUnsafeBytes(of: result.error) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if !error.isEmpty || result.messages != self.messages {
            throw CommandFailure(.failure, "the reference has read \(result.messages) messages: \(error)")
        }
        return Double(result.messages) / result.seconds
    }

    private func relay(_ server: BenchServer, subscription: String) async throws -> Double {
        let clock = ContinuousClock()
        let count = Atomic(0)
        let messages = self.messages
        let (ended, end) = AsyncStream.makeStream(of: ContinuousClock.Instant.self)
        var configuration = RelayConfiguration()
        configuration.subscription = subscription
        configuration.page.messages = self.page
        configuration.window.messages = max(configuration.window.messages, 4 * self.page)
        let relay = Relay(
            store: PostgresStore(postgres: server.postgres, schema: server.schema),
            routes: [
                "bench": .handler(concurrency: self.concurrency) { _ in
                    if count.add(1, ordering: .relaxed).newValue == messages { end.yield(clock.now) }
                }
            ], configuration: configuration, logger: .quiet)
        let began = clock.now
        async let run: Void = relay.run()
        var last = began
        for await instant in ended {
            last = instant
            break
        }
        relay.stop()
        try await run
        return Double(messages) / (last - began).inSeconds
    }
}
