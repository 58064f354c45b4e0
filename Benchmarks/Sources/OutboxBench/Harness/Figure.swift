/// Measured numbers as people read them.
enum Figure {
    /// Three digits that count, or all before the point: 0.0123, 1.23, 12.3, 1,234.
    static func text(_ value: Double) -> String {
        guard value.isFinite else { return "–" }
        let magnitude = abs(value)
        if magnitude >= 100 || magnitude == 0 {
            return Int(min(magnitude, 1e15).rounded() * (value < 0 ? -1 : 1)).grouped
        }
        var digits = 2
        var limit = 1.0
        while magnitude < limit && digits < 6 {
            digits += 1
            limit /= 10
        }
        return self.fixed(value, digits: magnitude >= 10 ? 1 : digits)
    }

    /// With so many digits after the point.
    static func fixed(_ value: Double, digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e12 else { return "–" }
        var factor = 1
        for _ in 0..<digits { factor *= 10 }
        let scaled = Int((abs(value) * Double(factor)).rounded())
        let fraction = String(scaled % factor)
        let sign = value < 0 && scaled > 0 ? "-" : ""
        if digits == 0 { return sign + (scaled / factor).grouped }
        return sign + (scaled / factor).grouped + "." + String(repeating: "0", count: digits - fraction.count)
            + fraction
    }

    /// A ratio, as in "0.82 ×".
    static func ratio(_ value: Double) -> String {
        "\(abs(value) < 0.1 ? self.text(value) : self.fixed(value, digits: 2)) ×"
    }
}

extension Int {
    /// The number with a comma between each three digits.
    var grouped: String {
        let digits = Array(String(self.magnitude))
        var text = self < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return text
    }
}
