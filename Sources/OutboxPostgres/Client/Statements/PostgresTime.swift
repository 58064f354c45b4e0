#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Times as Postgres counts them: in microseconds from 2000-01-01 in UTC.
enum PostgresTime {
    /// From 2000-01-01 to 2001-01-01, where `Date` starts to count.
    private static let secondsBetweenEpochs: Double = 366 * 86_400

    /// The times that Postgres has, in seconds from 2000-01-01: those from 4714 BC to 294276.
    private static let range: Range<Double> = -211_813_488_000..<9_223_371_331_200

    /// - Returns: nil: a `timestamptz` cannot hold it.
    static func microseconds(of date: Date) -> Int64? {
        let seconds = date.timeIntervalSinceReferenceDate + self.secondsBetweenEpochs
        return Int64(exactly: (seconds * 1_000_000).rounded())
    }

    /// The two infinities become the most distant dates.
    static func date(_ microseconds: Int64) -> Date {
        switch microseconds {
        case .max: return .distantFuture
        case .min: return .distantPast
        default:
            // Whole seconds apart, or a Double would lose microseconds.
            let (seconds, rest) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
            return Date(
                timeIntervalSinceReferenceDate: Double(seconds) - self.secondsBetweenEpochs + Double(rest) / 1_000_000)
        }
    }

    /// Whether Postgres has that time.
    static func contains(_ date: Date) -> Bool {
        self.range.contains(date.timeIntervalSinceReferenceDate + self.secondsBetweenEpochs)
    }
}
