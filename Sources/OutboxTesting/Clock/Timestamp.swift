#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A point in time in whole microseconds since 1970, as Postgres keeps it: sums of delays are exact.
struct Timestamp: Sendable, Hashable, Comparable {
    var microseconds: Int64

    init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    init(_ date: Date) {
        let microseconds = (date.timeIntervalSince1970 * 1e6).rounded()
        // Dates beyond some 146,000 years are as good as never.
        self.microseconds = Int64(max(-4.6e18, min(4.6e18, microseconds)))
    }

    var date: Date { Date(timeIntervalSince1970: Double(self.microseconds) / 1e6) }

    /// The time from another point to this one.
    func since(_ earlier: Timestamp) -> Duration {
        .microseconds(self.microseconds - earlier.microseconds)
    }

    static func + (time: Timestamp, delay: Duration) -> Timestamp {
        let (seconds, attoseconds) = delay.components
        let bounded = max(-1_000_000_000_000, min(1_000_000_000_000, seconds))
        return Timestamp(microseconds: time.microseconds + bounded * 1_000_000 + attoseconds / 1_000_000_000_000)
    }

    static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }
}
