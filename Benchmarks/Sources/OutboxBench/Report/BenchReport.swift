/// What a run of benchmarks has measured, and where.
struct BenchReport: Sendable {
    let machine: Machine
    let comparisons: [Comparison]

    /// Prints the table.
    func print() {
        self.table.print()
        Swift.print()
        Swift.print(
            "Medians of \(self.comparisons.first?.values.count ?? 0) pairs, and their least and greatest ratio")
        Swift.print(Self.ratioNote)
        Swift.print(self.machine.description)
    }

    /// Why a ratio is not what the two values beside it give.
    static let ratioNote = """
        A ratio is the median of the ratios of pairs measured one after the other, since what slows the machine slows both; \
        it may differ from the ratio of the two medians.
        """

    /// A row for each comparison.
    var table: Table {
        var table = Table(
            ("MEASURED", .left), ("VALUE", .right), ("REFERENCE", .left), ("VALUE", .right), ("UNIT", .left),
            ("RATIO", .right), ("FROM", .right), ("TO", .right), ("WANTED", .right), ("", .left))
        for comparison in self.comparisons {
            table.add(
                comparison.name, Figure.text(comparison.values.median), comparison.reference,
                Figure.text(comparison.referenceValues.median), comparison.unit, Figure.ratio(comparison.ratio),
                Figure.ratio(comparison.ratios.min() ?? .nan), Figure.ratio(comparison.ratios.max() ?? .nan),
                comparison.goalText, comparison.isMet.map { $0 ? "met" : "not met" } ?? "")
        }
        return table
    }
}

extension Comparison {
    /// What to reach, in words.
    var goalText: String {
        switch self.goal {
        case .ratioAtLeast(let least): "≥ \(Figure.ratio(least))"
        case .ratioAtMost(let most): "≤ \(Figure.ratio(most))"
        case .valueAtMost(let most): "≤ \(Figure.text(most)) \(self.unit)"
        case .none: ""
        }
    }
}
