import BenchmarkReferences
import Dispatch

/// Runs the references, which are in C and block, on threads of their own.
enum Reference {
    /// What a reference has done.
    struct Outcome: Sendable {
        let messages: Int
        let seconds: Double
        /// Of a processor; 0: not measured.
        let processorSeconds: Double
        /// Messages a second.
        var rate: Double { Double(self.messages) / self.seconds }
    }

    /// Runs a reference.
    ///
    /// - Throws: A ``BenchFailure`` with what went wrong.
    static func run(
        _ name: String, _ body: @escaping @Sendable () -> reference_result
    ) async throws -> Outcome {
        try self.outcome(name, await self.onThread(body))
    }

    /// Runs what blocks.
    static func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            DispatchQueue(label: "outbox.bench").async { continuation.resume(returning: body()) }
        }
    }

    /// What a result says.
    static func outcome(_ name: String, _ result: reference_result) throws -> Outcome {
        let error = unsafe withUnsafeBytes(of: result.error) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if !error.isEmpty { throw BenchFailure("\(name): \(error)") }
        return Outcome(
            messages: Int(result.messages), seconds: result.seconds, processorSeconds: result.processor_seconds)
    }
}

/// Producers, as cheap as they can be: one thread in C for all of them.
struct Load: Sendable {
    /// How many commit at the same time.
    var clients: Int
    /// How long; 0: however long.
    var seconds: Double = 0
    /// How many commits at most; 0: any number.
    var messages = 0
    /// Commits a second; 0: as many as the server can.
    var rate: Double = 0

    /// Commits a statement again and again; see ``BenchOutbox/insert(size:table:)``.
    func callAsFunction(_ statement: String, on server: BenchServer) async throws -> Reference.Outcome {
        try await Reference.run("producers") {
            unsafe reference_commits(
                server.connectionString, statement, Int32(self.clients), self.seconds, Int64(self.messages), self.rate)
        }
    }
}
