/// A drawing, as text.
struct SVG {
    private let width: Double
    private let height: Double
    private var elements = ""

    init(width: Double, height: Double) {
        self.width = width
        self.height = height
    }

    /// Which end of a text is at its place.
    enum Anchor: String { case start, middle, end }

    mutating func text(
        _ text: String, x: Double, y: Double, anchor: Anchor = .start, size: Int = 12, color: String = "#333"
    ) {
        self.elements += """
            <text x="\(Self.number(x))" y="\(Self.number(y))" text-anchor="\(anchor.rawValue)" font-size="\(size)" \
            fill="\(Self.escaped(color))">\(Self.escaped(text))</text>\n
            """
    }

    /// How much room a text takes at most, in a sans-serif font with figures as wide as they come.
    static func width(of text: String, size: Int) -> Double { Double(text.count * size) * 0.64 }

    mutating func line(x1: Double, y1: Double, x2: Double, y2: Double, color: String = "#ccc", width: Double = 1) {
        self.elements += """
            <line x1="\(Self.number(x1))" y1="\(Self.number(y1))" x2="\(Self.number(x2))" y2="\(Self.number(y2))" \
            stroke="\(Self.escaped(color))" stroke-width="\(Self.number(width))"/>\n
            """
    }

    mutating func rectangle(x: Double, y: Double, width: Double, height: Double, color: String) {
        self.elements += """
            <rect x="\(Self.number(x))" y="\(Self.number(y))" width="\(Self.number(max(width, 0)))" \
            height="\(Self.number(max(height, 0)))" fill="\(Self.escaped(color))"/>\n
            """
    }

    mutating func triangle(
        _ a: (x: Double, y: Double), _ b: (x: Double, y: Double), _ c: (x: Double, y: Double), color: String
    ) {
        let list = [a, b, c].map { "\(Self.number($0.x)),\(Self.number($0.y))" }.joined(separator: " ")
        self.elements += "<polygon points=\"\(list)\" fill=\"\(Self.escaped(color))\"/>\n"
    }

    mutating func curve(_ points: [(x: Double, y: Double)], color: String) {
        let list = points.map { "\(Self.number($0.x)),\(Self.number($0.y))" }.joined(separator: " ")
        self.elements += """
            <polyline points="\(list)" fill="none" stroke="\(Self.escaped(color))" stroke-width="1.5"/>\n
            """
    }

    /// The document.
    var document: String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" width="\(Self.number(self.width))" height="\(Self.number(self.height))" \
        viewBox="0 0 \(Self.number(self.width)) \(Self.number(self.height))" font-family="sans-serif">
        <rect width="100%" height="100%" fill="white"/>
        \(self.elements)</svg>\n
        """
    }

    /// Text as it can be nothing but text; what XML does not allow at all is replaced.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            case "\u{0}"..<"\u{20}", "\u{FFFE}", "\u{FFFF}": result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// A coordinate with one digit after the point, which is less than anybody sees.
    private static func number(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e7 else { return "0" }
        let tenths = Int((value * 10).rounded())
        let sign = tenths < 0 ? "-" : ""
        return "\(sign)\(abs(tenths) / 10)" + (tenths % 10 == 0 ? "" : ".\(abs(tenths) % 10)")
    }
}
