/// All series of a name: what one `TYPE` and one `HELP` are for.
package struct MetricFamily: Sendable {
    /// What the numbers are.
    package enum Kind: Sendable, Hashable {
        case counter, gauge, histogram
        /// Facts in labels; the number is 1. Its name ends in `_info`.
        case info
    }

    /// The labels of a series, and its numbers.
    struct Series: Sendable {
        let labels: LabelSet
        let reading: Reading
    }

    enum Reading: Sendable {
        case number(Double)
        /// Bounds, the counts below them and of all, and the sum.
        case distribution(bounds: [Double], counts: [Int], sum: Double)
    }

    /// The name in the text format: that of a counter ends in `_total`.
    package let name: String
    package let kind: Kind
    /// A sentence.
    package let help: String
    private(set) var series: [Series] = []

    package init(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        self.kind = kind
        self.help = help
    }

    /// The same with one number and no labels.
    package init(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
        self.init(name, kind, help)
        self.add(.none, value)
    }

    /// Adds a series, of labels that no other one of the family has.
    package mutating func add(_ labels: LabelSet, _ value: Double) {
        self.series.append(Series(labels: labels, reading: .number(value)))
    }

    mutating func add(_ labels: LabelSet, _ reading: Reading) {
        self.series.append(Series(labels: labels, reading: reading))
    }

    /// The name without what its kind puts behind it.
    var base: String { Self.base(self.name, self.kind) }

    /// Names of samples that no other family may have.
    var sampleNames: Set<String> {
        switch self.kind {
        case .counter: [self.base, self.name, self.base + "_created"]
        case .gauge: [self.name]
        case .info: [self.base, self.name]
        case .histogram: Set(["", "_bucket", "_sum", "_count", "_created"].map { self.name + $0 })
        }
    }

    private static func base(_ name: String, _ kind: Kind) -> String {
        switch kind {
        case .counter where name.hasSuffix("_total"): String(name.dropLast(6))
        case .info where name.hasSuffix("_info"): String(name.dropLast(5))
        default: name
        }
    }
}
