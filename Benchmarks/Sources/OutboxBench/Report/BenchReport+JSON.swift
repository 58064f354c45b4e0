import Foundation

extension BenchReport {
    /// One document on one line.
    var json: [UInt8] {
        get throws { try Document.line(Document(self)) }
    }
}

/// A report as JSON has it. What is no number is left out.
struct Document: Codable {
    var machine: Machine
    var comparisons: [Comparison]

    struct Machine: Codable {
        var processor: String
        var cores: Int
        var memoryBytes: UInt64
        var system: String
        var postgres: String
        var fsync: Bool
        var load: Double?
        /// Of a soak that was measured before it was written down, nothing.
        var date: Date?
    }

    struct Comparison: Codable {
        var name: String
        var reference: String
        var unit: String
        var median: Double?
        var referenceMedian: Double?
        var ratio: Double?
        var wanted: String?
        var met: Bool?
        var values: [Double?]
        var referenceValues: [Double?]
    }

    /// A value on one line.
    static func line(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try Array(encoder.encode(value)) + [UInt8(ascii: "\n")]
    }
}

extension Document {
    init(_ report: BenchReport) {
        self.init(machine: Machine(report.machine), comparisons: report.comparisons.map { Comparison($0) })
    }
}

extension Document.Machine {
    init(_ machine: Machine) {
        self.init(
            processor: machine.processor, cores: machine.cores, memoryBytes: machine.memory, system: machine.system,
            postgres: machine.postgres, fsync: machine.fsync == "on", load: machine.load.ifFinite, date: machine.date)
    }
}

extension Document.Comparison {
    init(_ comparison: Comparison) {
        self.init(
            name: comparison.name, reference: comparison.reference, unit: comparison.unit,
            median: comparison.values.median.ifFinite, referenceMedian: comparison.referenceValues.median.ifFinite,
            ratio: comparison.ratio.ifFinite, wanted: comparison.goal == .none ? nil : comparison.goalText,
            met: comparison.isMet, values: comparison.values.map(\.ifFinite),
            referenceValues: comparison.referenceValues.map(\.ifFinite))
    }
}

extension Double {
    /// JSON has no other numbers.
    var ifFinite: Double? { self.isFinite ? self : nil }
}
