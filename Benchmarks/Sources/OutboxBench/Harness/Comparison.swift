/// What was measured beside its reference, in turn, in one run of the program.
struct Comparison: Sendable {
    /// What was measured.
    let name: String
    /// What it is compared with.
    let reference: String
    /// Of both: what a value is, such as "messages/s".
    let unit: String
    /// What to reach.
    let goal: Goal
    /// Measured one after the other with the reference's value at the same place.
    let values: [Double]
    let referenceValues: [Double]

    /// What to reach.
    enum Goal: Sendable, Hashable {
        case ratioAtLeast(Double)
        case ratioAtMost(Double)
        /// Of the value itself, in its unit.
        case valueAtMost(Double)
        /// It is only shown.
        case none
    }

    init(
        _ name: String, reference: String, unit: String, goal: Goal, values: [Double], referenceValues: [Double]
    ) {
        precondition(values.count == referenceValues.count, "Values come in pairs.")
        self.name = name
        self.reference = reference
        self.unit = unit
        self.goal = goal
        self.values = values
        self.referenceValues = referenceValues
    }

    /// The ratio of each pair.
    var ratios: [Double] { zip(self.values, self.referenceValues).map { $0 / $1 } }
    /// The median of the pairs' ratios: what slows the machine slows both of a pair.
    var ratio: Double { self.ratios.median }

    /// Whether the goal is reached; nil: there is none.
    var isMet: Bool? {
        switch self.goal {
        case .ratioAtLeast(let least): self.ratio >= least
        case .ratioAtMost(let most): self.ratio <= most
        case .valueAtMost(let most): self.values.median <= most
        case .none: nil
        }
    }
}

extension [Double] {
    /// The value in the middle, or between the two in the middle; NaN where there is none.
    var median: Double {
        let sorted = self.sorted()
        if sorted.isEmpty { return .nan }
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }

    /// The least value that is not less than that share of all, such as 0.99; NaN where there is none.
    func percentile(_ share: Double) -> Double {
        let sorted = self.sorted()
        if sorted.isEmpty { return .nan }
        let rank = Int((share * Double(sorted.count)).rounded(.up))
        return sorted[Swift.min(Swift.max(rank, 1), sorted.count) - 1]
    }
}
