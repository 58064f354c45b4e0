import ArgumentParser
import BenchmarkReferences
import Outbox
import OutboxPostgres

/// `outbox-bench enqueue`: how fast many messages are enqueued in one transaction.
struct BenchEnqueueCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "enqueue",
        abstract: "Many messages in one transaction, beside COPY in C into the same table.",
        discussion: """
            EXAMPLES:
              outbox-bench enqueue
              outbox-bench enqueue --messages 1000000 --size 2048
            """)

    @OptionGroup
    var options: BenchOptions

    @Option(help: ArgumentHelp("How many messages.", valueName: "count"))
    var messages = 200_000

    @Option(help: ArgumentHelp("How long a payload is, in bytes.", valueName: "bytes"))
    var size = 200

    func validate() throws {
        try BenchLimits.check(messages: self.messages)
        try BenchLimits.check(size: self.size)
    }

    func measure(_ harness: Harness) async throws -> [Comparison] {
        try await harness.server.withOutbox { outbox in
            let connection = try await outbox.server.connect()
            return try await withCleanUp {
                [
                    try await harness.compare(
                        "bulk enqueue", reference: "COPY in C", unit: "messages/s", goal: .ratioAtLeast(0.8)
                    ) {
                        try await outbox.empty()
                        return try await self.copy(outbox, connection)
                    } with: {
                        try await outbox.empty()
                        return try await self.reference(outbox)
                    }
                ]
            } cleanUp: {
                await connection.close()
            }
        }
    }

    private func copy(_ outbox: BenchOutbox, _ connection: LibPQConnection) async throws -> Double {
        let payload = [UInt8](repeating: UInt8(ascii: "x"), count: self.size)
        // To make a message is the application's work, and not measured.
        let samples = (0..<1000).map { NewMessage(to: BenchOutbox.destination, key: "key-\($0)", payload: payload) }
        let messages = (0..<self.messages).lazy.map { samples[$0 % samples.count] }
        let postgres = PostgresOutbox(schema: outbox.schema)
        let began = ContinuousClock.now
        try await connection.withTransaction { transaction in
            _ = try await postgres.copy(messages, in: transaction)
        }
        let seconds = (ContinuousClock.now - began).inSeconds
        try await self.check(outbox)
        return Double(self.messages) / seconds
    }

    private func reference(_ outbox: BenchOutbox) async throws -> Double {
        let outcome = try await Reference.run("COPY in C") {
            unsafe reference_copy(
                outbox.server.connectionString, outbox.log, 1, BenchOutbox.destination.name, Int64(self.messages),
                Int32(self.size))
        }
        try await self.check(outbox)
        return outcome.rate
    }

    private func check(_ outbox: BenchOutbox) async throws {
        let count = try await outbox.count("SELECT count(*) FROM {{schema}}.message")
        if count != self.messages {
            throw BenchFailure("\(count) of \(self.messages) messages were enqueued")
        }
    }
}
