extension BenchReport {
    /// A bar for each ratio, from 1 to the left or to the right, on a scale where the half is as far as the double. A tick is
    /// what was wanted, an arrow stands where the bar would be longer than the scale.
    var svg: String {
        let (bars, rowHeight, top, margin) = (410.0, 26.0, 44.0, 12.0)
        let legend = self.legend
        let labels = self.comparisons.flatMap { comparison in
            [SVG.width(of: comparison.name, size: 12), SVG.width(of: comparison.referenceText, size: 9)]
        }
        let left = margin + (labels.max() ?? 0) + 18
        let right = left + bars
        let values = self.comparisons.map { SVG.width(of: $0.valueText, size: 11) }.max() ?? 0
        let captions = legend.map { SVG.width(of: $0, size: 10) }.max() ?? 0
        let bottom = top + Double(self.comparisons.count) * rowHeight
        var svg = SVG(
            width: max(right + 18 + values, margin + captions) + margin,
            height: bottom + 18 + Double(legend.count) * 15)
        let scale = RatioScale(
            self.comparisons.flatMap { [$0.ratio, $0.wantedRatio ?? 1] }, from: left, to: right)
        svg.text("Ratios to the references, measured in turn: medians of pairs", x: margin, y: 20, size: 14)
        for mark in scale.marks where scale.isLabelled(mark) {
            svg.line(x1: scale.x(mark), y1: top - 6, x2: scale.x(mark), y2: bottom, color: mark == 1 ? "#555" : "#ddd")
            svg.text(
                mark < 1 ? "1/\(Int(1 / mark))" : "\(Int(mark)) ×", x: scale.x(mark), y: top - 10, anchor: .middle,
                size: 10)
        }
        for (index, comparison) in self.comparisons.enumerated() {
            let y = top + Double(index) * rowHeight
            svg.text(comparison.name, x: left - 18, y: y + 11, anchor: .end)
            svg.text(comparison.referenceText, x: left - 18, y: y + 21, anchor: .end, size: 9, color: "#888")
            if !comparison.ratio.isNaN {
                let ends = [scale.x(1), scale.x(comparison.ratio)].sorted()
                svg.rectangle(
                    x: ends[0], y: y + 4, width: max(ends[1] - ends[0], 2), height: 15, color: comparison.color)
            }
            if let end = scale.cut(comparison.ratio) {
                let point = end == left ? end - 10 : end + 10
                svg.triangle((end, y + 1), (end, y + 22), (point, y + 11.5), color: comparison.color)
            }
            if let wanted = comparison.wantedRatio {
                svg.line(x1: scale.x(wanted), y1: y + 1, x2: scale.x(wanted), y2: y + 22, color: "#111", width: 2)
            }
            svg.text(comparison.valueText, x: right + 18, y: y + 16, size: 11)
        }
        for (index, line) in legend.enumerated() {
            svg.text(
                line, x: margin, y: bottom + 18 + Double(index) * 15, size: 10, color: index == 0 ? "#333" : "#888")
        }
        return svg.document
    }

    private var legend: [String] {
        [
            "Tick: what was wanted. Green: met, red: not met, blue: only shown. Arrow: the bar would go on.",
            Self.ratioNote,
            self.machine.description,
        ]
    }
}

extension Comparison {
    fileprivate var referenceText: String { "against \(self.reference)" }

    fileprivate var valueText: String {
        """
        \(Figure.ratio(self.ratio)); medians \(Figure.text(self.values.median)) and \
        \(Figure.text(self.referenceValues.median)) \(self.unit)
        """
    }

    fileprivate var color: String {
        switch self.isMet {
        case true: "#4a9d5b"
        case false: "#cc4b41"
        case nil: "#5b87b8"
        }
    }

    fileprivate var wantedRatio: Double? {
        switch self.goal {
        case .ratioAtLeast(let ratio), .ratioAtMost(let ratio): ratio
        case .valueAtMost, .none: nil
        }
    }
}
