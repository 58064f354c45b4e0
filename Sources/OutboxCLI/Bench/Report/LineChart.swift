/// Quantities over time, a panel each, one below the other.
struct LineChart {
    let title: String
    /// When the values were.
    let seconds: [Double]
    /// Where the background is grey.
    let shaded: [Bool]
    /// What that means.
    let note: String
    let panels: [Panel]

    /// Quantities of one unit.
    struct Panel {
        let title: String
        let curves: [Curve]

        init(_ title: String, _ curves: [Curve]) {
            self.title = title
            self.curves = curves
        }
    }

    /// A quantity, with a value for each time.
    struct Curve {
        let name: String
        let values: [Double]

        init(_ name: String, _ values: [Double]) {
            self.name = name
            self.values = values
        }
    }

    private static let (width, left, right, top, height, gap) = (900.0, 70.0, 760.0, 50.0, 110.0, 44.0)
    private static let colors = ["#33658a", "#cc4b41", "#4a9d5b", "#b8860b", "#7b4f9d", "#555"]

    var svg: String {
        let end = Self.top + Double(self.panels.count) * (Self.height + Self.gap)
        var svg = SVG(width: Self.width, height: end + 20)
        svg.text(self.title, x: 12, y: 20, size: 12)
        for (index, panel) in self.panels.enumerated() {
            self.draw(panel, top: Self.top + Double(index) * (Self.height + Self.gap), on: &svg)
        }
        svg.text(self.note, x: 12, y: end + 6, size: 10, color: "#888")
        return svg.document
    }

    private func x(_ seconds: Double) -> Double {
        let last = self.seconds.last ?? 1
        return Self.left + (last > 0 ? seconds / last : 0) * (Self.right - Self.left)
    }

    private func draw(_ panel: Panel, top: Double, on svg: inout SVG) {
        let bottom = top + Self.height
        let highest = panel.curves.flatMap(\.values).filter(\.isFinite).max() ?? 0
        let limit = highest > 0 ? highest : 1
        for index in self.seconds.indices where self.shaded[index] {
            let from = index > 0 ? self.seconds[index - 1] : 0
            svg.rectangle(
                x: self.x(from), y: top, width: self.x(self.seconds[index]) - self.x(from), height: Self.height,
                color: "#e8e8e8")
        }
        svg.text(panel.title, x: Self.left, y: top - 6, size: 12)
        svg.line(x1: Self.left, y1: bottom, x2: Self.right, y2: bottom, color: "#888")
        svg.line(x1: Self.left, y1: top, x2: Self.left, y2: bottom, color: "#888")
        svg.text(Figure.text(limit), x: Self.left - 6, y: top + 8, anchor: .end, size: 10)
        svg.text("0", x: Self.left - 6, y: bottom, anchor: .end, size: 10)
        svg.text("\(Int(self.seconds.last ?? 0)) s", x: Self.right, y: bottom + 13, anchor: .end, size: 10)
        for (index, curve) in panel.curves.enumerated() {
            let color = Self.colors[index % Self.colors.count]
            let points = zip(self.seconds, curve.values).filter { $0.1.isFinite }.map { seconds, value in
                (x: self.x(seconds), y: bottom - max(value, 0) / limit * Self.height)
            }
            svg.curve(points, color: color)
            svg.text(curve.name, x: Self.right + 12, y: top + 12 + Double(index) * 15, size: 11, color: color)
        }
    }
}
