import ArgumentParser

/// A subcommand that measures.
protocol Benchmark: AsyncParsableCommand {
    var options: BenchOptions { get }
    /// Measures, and says what came of it.
    func measure(_ harness: Harness) async throws -> [Comparison]
}

extension Benchmark {
    mutating func run() async throws {
        let benchmark = self
        try await benchmark.options.report { try await benchmark.measure($0) }
    }
}
