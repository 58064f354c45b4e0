/// What a soak has seen.
struct SoakReport: Sendable {
    let machine: Machine
    let samples: [SoakSample]

    /// Prints the table: before, during and after the long transaction.
    func print(on terminal: Terminal = .output) {
        self.table.print(on: terminal)
        terminal.print("")
        terminal.print(self.machine.description.plain())
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

    /// A line for each sample.
    var json: [UInt8] {
        var json = JSONWriter()
        for sample in self.samples {
            sample.write(to: &json)
            json.newline()
        }
        return json.bytes
    }

    /// A panel for each quantity, over time.
    var svg: String {
        let megabytes = { (bytes: Int) in Double(bytes) / 1e6 }
        let names = self.samples.first?.tables.map(\.name) ?? []
        func tables(_ value: @escaping (SoakSample.Table) -> Double) -> [LineChart.Curve] {
            names.map { name in
                LineChart.Curve(
                    name,
                    self.samples.map { sample in sample.tables.first { $0.name == name }.map(value) ?? .nan })
            }
        }
        let chart = LineChart(
            title: "Soak: \(self.machine.description)", seconds: self.samples.map(\.seconds),
            shaded: self.samples.map(\.isPinned), note: "Grey: a transaction elsewhere keeps vacuum from cleaning up.",
            panels: [
                .init("messages/s", [.init("delivered", self.samples.map(\.throughput))]),
                .init(
                    "INSERT to handler, ms",
                    [.init("p50", self.samples.map(\.p50)), .init("p99", self.samples.map(\.p99))]),
                .init("tables, MB", tables { megabytes($0.bytes) }),
                .init("indexes, MB", tables { megabytes($0.indexBytes) }),
                .init("dead rows", tables { Double($0.deadRows) }),
                .init(
                    "memory of the relay's process, MB", [.init("resident", self.samples.map { megabytes($0.memory) })]),
            ])
        return chart.svg
    }
}

extension SoakSample {
    fileprivate func write(to json: inout JSONWriter) {
        json.beginObject()
        json.name("seconds")
        json.double(self.seconds)
        json.name("pinned")
        json.bool(self.isPinned)
        json.name("enqueued")
        json.integer(self.enqueued)
        json.name("delivered")
        json.integer(self.delivered)
        json.name("throughput")
        json.double(self.throughput)
        json.name("p50_ms")
        json.double(self.p50)
        json.name("p99_ms")
        json.double(self.p99)
        json.name("memory_bytes")
        json.integer(self.memory)
        json.name("tables")
        json.beginArray()
        for table in self.tables {
            json.beginObject()
            json.name("name")
            json.string(table.name)
            json.name("bytes")
            json.integer(table.bytes)
            json.name("index_bytes")
            json.integer(table.indexBytes)
            json.name("dead_rows")
            json.integer(table.deadRows)
            json.endObject()
        }
        json.endArray()
        json.endObject()
    }
}
