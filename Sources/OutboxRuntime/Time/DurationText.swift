/// A span of time as it is written in options and addresses: `250ms`, `2s`, `5m`, `1.5h`, `7d`; a bare number is seconds.
package enum DurationText {
    /// Why a text is none.
    package enum Defect: Error {
        case notADuration
        case tooLong
    }

    /// The longest span that can be written, 27 years.
    package static let longest = Duration.seconds(10_000 * 86400)

    private static let units: [(name: String, duration: Duration)] = [
        ("", .seconds(1)), ("us", .microseconds(1)), ("ms", .milliseconds(1)), ("s", .seconds(1)), ("m", .seconds(60)),
        ("min", .seconds(60)), ("h", .seconds(3600)), ("d", .seconds(86400)),
    ]

    /// Reads a span of time. One that is written without a fraction is exact.
    package static func duration(_ text: String) throws(Defect) -> Duration {
        let number = text.prefix { $0.isNumber || $0 == "." }
        let unitName = text.dropFirst(number.count)
        guard let value = Double(number), let unit = self.units.first(where: { $0.name == unitName })?.duration else {
            throw .notADuration
        }
        let seconds = value * unit.seconds
        guard seconds <= self.longest.seconds else { throw .tooLong }
        if let count = Int(number) { return unit * count }
        return .seconds(seconds)
    }
}

extension Duration {
    /// The duration in few characters: `350us`, `12ms`, `4.2s`, `3m`, `5h`, `2d`.
    package var short: String {
        func text(_ value: Double, _ unit: String) -> String {
            let tenths = (value * 10).rounded() / 10
            return (tenths >= 10 || tenths == tenths.rounded() ? String(Int(tenths.rounded())) : String(tenths)) + unit
        }
        let seconds = self.seconds
        switch seconds.magnitude {
        case 0: return "0s"
        case ..<0.001: return text(seconds * 1e6, "us")
        case ..<1: return text(seconds * 1000, "ms")
        case ..<120: return text(seconds, "s")
        case ..<7200: return text(seconds / 60, "m")
        case ..<172_800: return text(seconds / 3600, "h")
        default: return text(seconds / 86400, "d")
        }
    }
}
