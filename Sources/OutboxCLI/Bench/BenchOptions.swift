import ArgumentParser
import OutboxPostgres
import OutboxTesting

/// What all benchmarks have in common.
struct BenchOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A server to use instead of one of the benchmark's own.", valueName: "connection"))
    var postgres: String?

    @Option(help: ArgumentHelp("How many pairs are measured, after one that is not counted.", valueName: "count"))
    var runs = 5

    @Flag(help: "Print the figures as JSON.")
    var json = false

    func validate() throws {
        if !(1...100).contains(self.runs) { throw ValidationError("--runs is 1 to 100.") }
    }

    /// Runs `body` with an outbox that is made for it and removed at the end.
    func withServer(_ body: (BenchServer) async throws -> Void) async throws {
        guard let postgres else {
            return try await EphemeralPostgres.with(
                .init(parameters: ["shared_buffers": "512MB", "max_wal_size": "4GB", "max_connections": "300"])
            ) { server in try await BenchServer.with(server.url, body) }
        }
        try await BenchServer.with(postgres, body)
    }

    /// Prints what was measured.
    func report(_ comparisons: [Comparison]) {
        if self.json { return self.printJSON(comparisons) }
        var table = Table(
            ("MEASURED", .left), ("VALUE", .right), ("REFERENCE", .left), ("VALUE", .right), ("UNIT", .left),
            ("RATIO", .right), ("AT LEAST", .right))
        for comparison in comparisons {
            table.add(
                comparison.name, Int(comparison.median).grouped, comparison.reference,
                Int(comparison.referenceMedian).grouped, comparison.unit, Self.ratio(comparison.ratio),
                Self.ratio(comparison.target))
        }
        table.print()
    }

    private static func ratio(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
    }

    private func printJSON(_ comparisons: [Comparison]) {
        var json = JSONWriter()
        json.beginArray()
        for comparison in comparisons {
            json.beginObject()
            json.name("name")
            json.string(comparison.name)
            json.name("reference")
            json.string(comparison.reference)
            json.name("unit")
            json.string(comparison.unit)
            json.name("median")
            json.double(comparison.median)
            json.name("reference_median")
            json.double(comparison.referenceMedian)
            json.name("ratio")
            json.double(comparison.ratio)
            json.name("target")
            json.double(comparison.target)
            json.name("values")
            json.beginArray()
            for value in comparison.values { json.double(value) }
            json.endArray()
            json.name("reference_values")
            json.beginArray()
            for value in comparison.referenceValues { json.double(value) }
            json.endArray()
            json.endObject()
        }
        json.endArray()
        json.print()
    }
}
