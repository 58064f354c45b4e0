import Foundation

/// How long a randomised run takes, and which one it is.
package enum StressSettings {
    /// `OUTBOX_STRESS_SECONDS`: how long to disturb; short by default.
    package static func seconds(otherwise short: Int) -> Int {
        ProcessInfo.processInfo.environment["OUTBOX_STRESS_SECONDS"].flatMap(Int.init) ?? short
    }

    /// The same for what is over in less than a second by default.
    package static func milliseconds(otherwise short: Int) -> Int {
        let seconds = self.seconds(otherwise: 0)
        return seconds > 0 ? seconds * 1000 : short
    }

    /// The time limit of a suite: so many minutes, and twice as long as it disturbs.
    package static func minutes(atLeast short: Int) -> Int {
        short + self.seconds(otherwise: 0) * 2 / 60
    }

    /// `OUTBOX_STRESS_SEED`: repeats the choices of a run; another one each time without it.
    package static let seed: UInt64 =
        ProcessInfo.processInfo.environment["OUTBOX_STRESS_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 1...999_999)
}

/// Xorshift (Marsaglia, "Xorshift RNGs", 2003): reproducible choices.
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    /// Different seeds begin far apart from each other.
    package init(seed: UInt64) {
        self.state = (seed &+ 1) &* 0x9e37_79b9_7f4a_7c15 | 1
        for _ in 0..<8 { _ = self.next() }
    }

    package mutating func next() -> UInt64 {
        self.state ^= self.state << 13
        self.state ^= self.state >> 7
        self.state ^= self.state << 17
        return self.state
    }

    /// True in `count` of `total` cases.
    package mutating func chance(_ count: Int, in total: Int) -> Bool {
        Int.random(in: 0..<total, using: &self) < count
    }
}
