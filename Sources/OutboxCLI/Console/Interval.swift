import ArgumentParser

/// A span of time as it is written on a command line: `250ms`, `2s`, `5m`, `1.5h`, `7d`; a bare number is seconds.
struct Interval: CustomStringConvertible, Sendable {
    let duration: Duration

    init(_ duration: Duration) {
        self.duration = duration
    }

    /// Reads what was written.
    init(parsing argument: String) throws {
        let number = argument.prefix { $0.isNumber || $0 == "." }
        let unit = argument.dropFirst(number.count)
        guard let value = Double(number), let factor = Self.units.first(where: { $0.0 == unit })?.1 else {
            throw ValidationError("“\(argument)” is no interval such as 250ms, 2s, 5m, 1.5h or 7d")
        }
        guard value * factor <= Self.longest else {
            throw ValidationError(
                "“\(argument)” is too long: an interval is at most \(Interval(.seconds(Self.longest)))")
        }
        self.duration = .seconds(value * factor)
    }

    /// 27 years.
    private static let longest: Double = 10_000 * 86400

    private static let units: [(String, Double)] = [
        ("", 1), ("us", 1e-6), ("ms", 1e-3), ("s", 1), ("m", 60), ("min", 60), ("h", 3600), ("d", 86400),
    ]

    var description: String { self.duration.short }
}

extension Duration {
    /// The duration in seconds.
    var inSeconds: Double {
        Double(self.components.seconds) + Double(self.components.attoseconds) * 1e-18
    }

    /// The duration in few characters: `350us`, `12ms`, `4.2s`, `3m`, `5h`, `2d`.
    var short: String {
        func text(_ value: Double, _ unit: String) -> String {
            let tenths = (value * 10).rounded() / 10
            return (tenths >= 10 || tenths == tenths.rounded() ? String(Int(tenths.rounded())) : String(tenths)) + unit
        }
        let seconds = self.inSeconds
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
