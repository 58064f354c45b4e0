import Foundation
import Testing

@testable import OutboxBench

/// Results as tables and JSON.
@Suite(.timeLimit(.minutes(5))) struct ReportTests {
    private static let machine = Machine(
        processor: "A & B <1>", cores: 2, memory: 8 << 30, system: "\"Sys\"", postgres: "15.1", fsync: "on", load: 0.5,
        date: Date(timeIntervalSince1970: 0))

    private let report = BenchReport(
        machine: Self.machine,
        comparisons: [
            Comparison(
                "drain <&> \"it\"", reference: "it's C", unit: "messages/s", goal: .ratioAtLeast(0.8),
                values: [900, 1000, 1100], referenceValues: [1000, 1000, 1000]),
            Comparison(
                "rows", reference: "other", unit: "rows", goal: .none, values: [1], referenceValues: [0]),
            Comparison(
                "memory", reference: "less", unit: "MB", goal: .valueAtMost(100), values: [120], referenceValues: [60]),
        ])

    @Test func theTableSaysWhatIsMet() {
        let lines = self.report.table.lines
        #expect(lines.count == 4)
        #expect(lines[1].contains("1,000") && lines[1].contains("1.00 ×") && lines[1].hasSuffix("≥ 0.80 ×  met"))
        #expect(lines[1].contains("0.90 ×  1.10 ×"))
        #expect(lines[3].hasSuffix("≤ 100 MB  not met"))
    }

    @Test func jsonHasEveryValue() throws {
        let text = String(decoding: try self.report.json, as: UTF8.self)
        #expect(text.contains(#""memory_bytes":8589934592"#) && text.contains(#""date":"1970-01-01T00:00:00Z""#))
        let document = try Document(parsing: text)
        #expect(document.machine.processor == "A & B <1>")
        #expect(document.machine.fsync)
        let first = document.comparisons[0]
        #expect(first.name == "drain <&> \"it\"")
        #expect(first.met == true)
        #expect(first.wanted == "≥ 0.80 ×")
        #expect(first.values == [900, 1000, 1100])
        #expect(document.comparisons[1].ratio == nil, "no number is not finite")
        #expect(document.comparisons[1].met == nil && document.comparisons[1].wanted == nil)
        #expect(document.comparisons[2].met == false)
    }

    @Test func aSoakHasALineASample() throws {
        let samples = [1.0, 2, 3].map { seconds in
            SoakSample(
                seconds: seconds, isPinned: seconds == 2, enqueued: 10, delivered: 10, throughput: 10, p50: .nan,
                p99: 2,
                memory: 1 << 20, tables: [.init(name: "a<b", bytes: 8192, indexBytes: 0, deadRows: Int(seconds))])
        }
        let report = SoakReport(machine: Self.machine, samples: samples)
        let lines = String(decoding: try report.json, as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 4, "the machine, and the samples")
        let last = try SoakLine(parsing: lines[3])
        #expect(last.p50Ms == nil && last.p99Ms == 2 && last.tables[0].deadRows == 3)
        #expect(report.table.lines.count == 4, "before, during and after")
    }
}
