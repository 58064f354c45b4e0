import ArgumentParser

/// A span of time as it is written on a command line: `250ms`, `2s`, `5m`, `1.5h`, `7d`; a bare number is seconds.
struct Interval: Sendable, ExpressibleByArgument {
    let duration: Duration

    init(_ duration: Duration) {
        self.duration = duration
    }

    init?(argument: String) {
        let number = argument.prefix { $0.isNumber || $0 == "." }
        let unit = argument.dropFirst(number.count)
        guard let value = Double(number), let factor = Self.units.first(where: { $0.0 == unit })?.1,
            value * factor <= Self.longest
        else { return nil }
        self.duration = .seconds(value * factor)
    }

    var defaultValueDescription: String {
        let seconds = self.duration.inSeconds
        return seconds < 1 ? "\(Int((seconds * 1000).rounded()))ms" : "\(Int(seconds.rounded()))s"
    }

    /// A year.
    private static let longest: Double = 365 * 86400

    private static let units: [(String, Double)] = [
        ("", 1), ("us", 1e-6), ("ms", 1e-3), ("s", 1), ("m", 60), ("min", 60), ("h", 3600), ("d", 86400),
    ]
}

extension Duration {
    /// The duration in seconds.
    var inSeconds: Double {
        Double(self.components.seconds) + Double(self.components.attoseconds) * 1e-18
    }
}
