import ArgumentParser
import OutboxTesting

/// On which server is measured.
struct BenchServerOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A server to use instead of one of the benchmark's own.", valueName: "connection"))
    var postgres: String?

    @Flag(inversion: .prefixedNo, help: "Whether the benchmark's own server waits for the disk, as servers do.")
    var fsync = true

    /// Runs `body` with the server.
    func withServer<Result>(_ body: (BenchServer) async throws -> sending Result) async throws -> sending Result {
        if let postgres { return try await body(BenchServer(postgres)) }
        let fsync = self.fsync ? "on" : "off"
        return try await EphemeralPostgres.with(
            .init(parameters: [
                "shared_buffers": "512MB", "max_wal_size": "4GB", "max_connections": "300", "fsync": fsync,
                "full_page_writes": fsync,
            ])
        ) { server in try await body(BenchServer(server.url)) }
    }
}

/// What all benchmarks have in common.
struct BenchOptions: ParsableArguments {
    @OptionGroup
    var server: BenchServerOptions

    @Option(help: ArgumentHelp("How many pairs are measured, after one that is not counted.", valueName: "count"))
    var runs = 5

    @Option(help: ArgumentHelp("Write the figures as JSON; - is stdout.", valueName: "file"))
    var json: String?

    func validate() throws {
        if !(1...100).contains(self.runs) { throw ValidationError("--runs is 1 to 100.") }
    }

    /// Measures, then prints and writes what came of it.
    func report(_ measure: (Harness) async throws -> [Comparison]) async throws {
        let report = try await self.server.withServer { server in
            let machine = try await Machine(server: server)
            return BenchReport(
                machine: machine, comparisons: try await measure(Harness(server: server, runs: self.runs)))
        }
        if self.json != "-" { report.print() }
        if let json { try OutputFile.write(report.json, to: json) }
    }
}
