import Foundation

/// Where ratios are on a logarithmic scale, which ends at 1/256 and 65,536: further off, the others could not be told apart.
struct RatioScale {
    /// The powers of two that it reaches over.
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

    /// The end of the scale that a ratio lies beyond; nil: it is on the scale, or no number.
    func cut(_ ratio: Double) -> Double? {
        if ratio < self.marks[0] { return self.from }
        return ratio > self.marks[self.marks.count - 1] ? self.to : nil
    }

    /// Whether there is room for the mark's name: 1 and every so many from it.
    func isLabelled(_ mark: Double) -> Bool {
        let distance = (self.to - self.from) / Double(self.marks.count - 1)
        let step = max(Int((36 / distance).rounded(.up)), 1)
        return Int(log2(mark).rounded()).isMultiple(of: step)
    }
}
