/// Writes families of metrics, as Prometheus's text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats) or as
/// OpenMetrics 1.0 (https://prometheus.io/docs/specs/om/open_metrics_spec).
package struct Exposition {
    private let format: ExpositionFormat
    private var bytes: [UInt8] = []

    /// The text of families in the order of their names. Of two that would share the name of a sample the first one is written.
    package static func bytes(_ families: [MetricFamily], _ format: ExpositionFormat) -> [UInt8] {
        var exposition = Exposition(format: format)
        exposition.bytes.reserveCapacity(families.reduce(1024) { $0 + $1.series.count * 160 })
        var names: Set<String> = []
        var written: [MetricFamily] = []
        for family in families where names.isDisjoint(with: family.sampleNames) {
            names.formUnion(family.sampleNames)
            written.append(family)
        }
        for family in written.sorted(by: { $0.name < $1.name }) { exposition.write(family) }
        if format == .openMetrics { exposition.append("# EOF\n") }
        return exposition.bytes
    }

    private init(format: ExpositionFormat) {
        self.format = format
    }

    private mutating func write(_ family: MetricFamily) {
        if family.series.isEmpty { return }
        let name = self.format == .openMetrics ? family.base : family.name
        self.append("# HELP \(name) \(self.escaped(family.help))\n")
        self.append("# TYPE \(name) \(self.type(of: family.kind))\n")
        if self.format == .openMetrics, name.hasSuffix("_seconds") { self.append("# UNIT \(name) seconds\n") }
        if self.format == .openMetrics, name.hasSuffix("_bytes") { self.append("# UNIT \(name) bytes\n") }
        for series in family.series.sorted(by: { $0.labels.text < $1.labels.text }) {
            switch series.reading {
            case .number(let value): self.line(family.name, series.labels.text, value)
            case .distribution(let bounds, let counts, let sum):
                let labels = series.labels.text
                let prefix = labels.isEmpty ? "" : labels + ","
                for (bound, count) in zip(bounds + [.infinity], counts) {
                    self.line(family.name + "_bucket", "\(prefix)le=\"\(Self.text(bound))\"", Double(count))
                }
                self.line(family.name + "_count", labels, Double(counts.last ?? 0))
                self.line(family.name + "_sum", labels, sum)
            }
        }
    }

    private func type(of kind: MetricFamily.Kind) -> String {
        switch kind {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        case .info: self.format == .openMetrics ? "info" : "gauge"
        }
    }

    private mutating func line(_ name: String, _ labels: String, _ value: Double) {
        self.append(name)
        if !labels.isEmpty {
            self.append("{")
            self.append(labels)
            self.append("}")
        }
        self.append(" ")
        // A whole number as such: it is shorter, and both formats take it.
        if value.magnitude < 1e15, value == value.rounded() {
            self.append(String(Int64(value)))
        } else {
            self.append(Self.text(value))
        }
        self.append("\n")
    }

    private mutating func append(_ text: String) { self.bytes.append(contentsOf: text.utf8) }

    /// In a help text a line's end and a backslash are escaped, in OpenMetrics a quote too.
    private func escaped(_ help: String) -> String {
        var escaped = ""
        for character in help.unicodeScalars {
            switch character {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where self.format == .openMetrics: escaped += "\\\""
            case "\r", "\0": escaped += " "
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }

    /// A number as both formats take it; a bound is never written as a whole number, so that it is the same label in both.
    static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return String(value)
    }
}
