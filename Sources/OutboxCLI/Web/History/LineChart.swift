#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A line of numbers over the last hour, as what a template draws.
struct LineChart {
    static let width = 600.0
    static let height = 90.0

    /// The number and the time of each point, in order of time.
    let points: [(time: Date, value: Double)]
    let end: Date

    /// The highest value; the chart's height stands for it.
    var highest: Double { self.points.map(\.value).max() ?? 0 }

    /// The lines, as the attribute `points` of SVG's polyline. Where no look was made for two minutes, a line ends.
    var lines: [String] {
        let top = max(self.highest, 1)
        let begin = self.end.addingTimeInterval(-LookHistory.span)
        var lines: [[String]] = []
        var last: Date?
        for point in self.points where point.time >= begin {
            let x = point.time.timeIntervalSince(begin) / LookHistory.span * Self.width
            let y = Self.height - point.value / top * (Self.height - 4) - 2
            let text = "\(Self.number(x)),\(Self.number(y))"
            if let last, point.time.timeIntervalSince(last) <= 120 {
                lines[lines.count - 1].append(text)
            } else {
                // A point alone is seen as a dot.
                lines.append(["\(Self.number(x - 1)),\(Self.number(y))", text])
            }
            last = point.time
        }
        return lines.map { $0.joined(separator: " ") }
    }

    private static func number(_ value: Double) -> String { String((value * 10).rounded() / 10) }
}
