import Foundation

extension BenchReport {
    /// A bar for each ratio, from 1 to the left or to the right, on a scale where the half is as far as the double. A tick is
    /// what was wanted.
    var svg: String {
        let (width, labels, values, rowHeight, top) = (1120.0, 430.0, 280.0, 26.0, 44.0)
        let bottom = top + Double(self.comparisons.count) * rowHeight
        var svg = SVG(width: width, height: bottom + 50)
        let scale = RatioScale(
            self.comparisons.flatMap { [$0.ratio, $0.wantedRatio ?? 1] }, from: labels, to: width - values)
        svg.text("Ratios to the references, measured in turn: medians of pairs", x: 12, y: 20, size: 14)
        for mark in scale.marks {
            svg.line(x1: scale.x(mark), y1: top - 6, x2: scale.x(mark), y2: bottom, color: mark == 1 ? "#555" : "#ddd")
            svg.text(
                mark < 1 ? "1/\(Int(1 / mark))" : "\(Int(mark)) ×", x: scale.x(mark), y: top - 10, anchor: .middle,
                size: 10)
        }
        for (index, comparison) in self.comparisons.enumerated() {
            let y = top + Double(index) * rowHeight
            svg.text(comparison.name, x: labels - 10, y: y + 11, anchor: .end)
            svg.text("against \(comparison.reference)", x: labels - 10, y: y + 21, anchor: .end, size: 9, color: "#888")
            let ends = [scale.x(1), scale.x(comparison.ratio)].sorted()
            svg.rectangle(
                x: ends[0], y: y + 4, width: max(ends[1] - ends[0], 2), height: 15, color: comparison.color)
            if let wanted = comparison.wantedRatio {
                svg.line(x1: scale.x(wanted), y1: y + 1, x2: scale.x(wanted), y2: y + 22, color: "#111", width: 2)
            }
            svg.text(
                """
                \(Figure.ratio(comparison.ratio)): \(Figure.text(comparison.values.median)) to \
                \(Figure.text(comparison.referenceValues.median)) \(comparison.unit)
                """, x: width - values + 10, y: y + 16, size: 11)
        }
        svg.text("Tick: what was wanted. Green: met, red: not met, blue: only shown.", x: 12, y: bottom + 18, size: 10)
        svg.text(self.machine.description, x: 12, y: bottom + 34, size: 10, color: "#888")
        return svg.document
    }
}

extension Comparison {
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

/// Where ratios are on a logarithmic scale.
private struct RatioScale {
    /// The powers of two that are shown.
    let marks: [Double]
    private let from: Double
    private let to: Double

    init(_ ratios: [Double], from: Double, to: Double) {
        let logarithms = ratios.filter { $0.isFinite && $0 > 0 }.map { log2($0) }
        let low = max(Int((logarithms.min() ?? 0).rounded(.down)), -8)
        let high = min(Int((logarithms.max() ?? 0).rounded(.up)), 16)
        self.marks = (min(low, -1)...max(high, 1)).map { exp2(Double($0)) }
        self.from = from
        self.to = to
    }

    func x(_ ratio: Double) -> Double {
        let low = log2(self.marks[0])
        let high = log2(self.marks[self.marks.count - 1])
        let place = ratio > 0 ? min(max(log2(ratio), low), high) : low
        return self.from + (place - low) / (high - low) * (self.to - self.from)
    }
}
