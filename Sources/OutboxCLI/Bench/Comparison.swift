/// What was measured beside its reference, in turn, in one run of the program.
struct Comparison: Sendable {
    /// What was measured.
    let name: String
    /// What it is compared with.
    let reference: String
    /// Of both: what a value is, such as "messages/s".
    let unit: String
    /// The ratio to reach.
    let target: Double
    private(set) var values: [Double] = []
    private(set) var referenceValues: [Double] = []

    init(name: String, reference: String, unit: String, target: Double) {
        self.name = name
        self.reference = reference
        self.unit = unit
        self.target = target
    }

    /// Adds a pair that was measured one after the other.
    mutating func add(_ value: Double, reference: Double) {
        self.values.append(value)
        self.referenceValues.append(reference)
    }

    var median: Double { Self.median(self.values) }
    var referenceMedian: Double { Self.median(self.referenceValues) }
    /// The median of the pairs' ratios: what slows the machine slows both of a pair.
    var ratio: Double { Self.median(zip(self.values, self.referenceValues).map { $0 / $1 }) }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        if sorted.isEmpty { return .nan }
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
}
