/// What a soak has seen.
struct SoakReport: Sendable {
    let machine: Machine
    let samples: [SoakSample]

    /// Prints the table: before, during and after the long transaction.
    func print() {
        self.table.print()
        Swift.print()
        Swift.print(self.machine.description)
    }

    /// A row for each run of samples with and without the long transaction; times are medians, sizes those at the end.
    var table: Table {
        var table = Table(
            ("UNTIL", .right), ("LONG TRANSACTION", .left), ("MESSAGES/S", .right), ("P50 MS", .right),
            ("P99 MS", .right),
            ("LOG MB", .right), ("INDEX MB", .right), ("DEAD ROWS", .right), ("MEMORY MB", .right))
        for part in self.parts {
            guard let last = part.last else { continue }
            table.add(
                "\(Int(last.seconds)) s", last.isPinned ? "open" : "", Figure.text(part.map(\.throughput).median),
                Figure.text(part.map(\.p50).median), Figure.text(part.map(\.p99).median),
                Figure.text(Double(last.tables.reduce(0) { $0 + $1.bytes }) / 1e6),
                Figure.text(Double(last.tables.reduce(0) { $0 + $1.indexBytes }) / 1e6),
                last.tables.reduce(0) { $0 + $1.deadRows }.grouped,
                Figure.text(Double(part.map(\.memory).max() ?? 0) / 1e6))
        }
        return table
    }

    private var parts: [[SoakSample]] {
        var parts: [[SoakSample]] = []
        for sample in self.samples {
            if parts.last?.last?.isPinned == sample.isPinned {
                parts[parts.count - 1].append(sample)
            } else {
                parts.append([sample])
            }
        }
        return parts
    }

    /// A line for the machine, then one for each sample.
    var json: [UInt8] {
        get throws {
            var lines = try Document.line(["machine": Document.Machine(self.machine)])
            for sample in self.samples { lines += try Document.line(SoakLine(sample)) }
            return lines
        }
    }
}

/// A sample as JSON has it.
struct SoakLine: Codable {
    var seconds: Double
    var pinned: Bool
    var enqueued: Int
    var delivered: Int
    var throughput: Double?
    var p50Ms: Double?
    var p99Ms: Double?
    var memoryBytes: Int
    var tables: [Table]

    struct Table: Codable {
        var name: String
        var bytes: Int
        var indexBytes: Int
        var deadRows: Int
    }
}

extension SoakLine {
    init(_ sample: SoakSample) {
        self.init(
            seconds: sample.seconds, pinned: sample.isPinned, enqueued: sample.enqueued, delivered: sample.delivered,
            throughput: sample.throughput.ifFinite, p50Ms: sample.p50.ifFinite, p99Ms: sample.p99.ifFinite,
            memoryBytes: sample.memory,
            tables: sample.tables.map {
                Table(name: $0.name, bytes: $0.bytes, indexBytes: $0.indexBytes, deadRows: $0.deadRows)
            })
    }
}
