#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A time in UTC, in whole seconds, as AWS and HTTP write it.
struct UTCTime: Sendable, Hashable, Comparable {
    /// Since 1970.
    let seconds: Int64

    init(seconds: Int64) {
        self.seconds = seconds
    }

    init(_ date: Date) {
        self.seconds = Int64(min(max(date.timeIntervalSince1970, 0), 253_402_300_799).rounded(.down))
    }

    static func < (left: UTCTime, right: UTCTime) -> Bool { left.seconds < right.seconds }

    /// `20260131`.
    var day: String { String(self.basic.prefix(8)) }

    /// `20260131T120000Z`.
    var basic: String {
        let (days, second) = self.seconds.quotientAndRemainder(dividingBy: 86400)
        let day = Self.civil(days)
        return Self.digits(day.year, 4) + Self.digits(day.month, 2) + Self.digits(day.day, 2) + "T"
            + Self.digits(second / 3600, 2) + Self.digits(second / 60 % 60, 2) + Self.digits(second % 60, 2) + "Z"
    }

    /// Reads what ``basic`` writes.
    init?(basic text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z") else { return nil }
        let ranges = [0..<4, 4..<6, 6..<8, 9..<11, 11..<13, 13..<15]
        self.init(ranges.map { Int64(String(decoding: bytes[$0], as: UTF8.self)) })
    }

    /// Reads `2026-01-31T12:00:00Z`, with or without a fraction, which is dropped.
    init?(iso8601 text: String) {
        let fields = text.split { "-T:Z.".contains($0) }
        guard text.last == "Z", (6...7).contains(fields.count) else { return nil }
        self.init(fields.prefix(6).map { Int64($0) })
    }

    /// Reads the date of a header, in the form that is sent today (RFC 9110, IMF-fixdate): `Sat, 31 Jan 2026 12:00:00 GMT`.
    init?(httpDate text: String) {
        let fields = text.split { " ,:".contains($0) }
        guard fields.count == 8, fields[7] == "GMT", let month = Self.months.firstIndex(of: String(fields[2])) else {
            return nil
        }
        self.init(
            [Int64(fields[3]), Int64(month + 1)] + [fields[1], fields[4], fields[5], fields[6]].map { Int64($0) })
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// From year, month, day, hour, minute and second.
    private init?(_ fields: [Int64?]) {
        let numbers = fields.compactMap { $0 }
        guard numbers.count == 6, (1970...9999).contains(numbers[0]), (1...12).contains(numbers[1]),
            (1...31).contains(numbers[2]), (0..<24).contains(numbers[3]), (0..<60).contains(numbers[4]),
            (0...60).contains(numbers[5])
        else { return nil }
        self.seconds =
            Self.days(numbers[0], numbers[1], numbers[2]) * 86400 + numbers[3] * 3600 + numbers[4] * 60 + numbers[5]
    }

    private static func digits(_ number: Int64, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }

    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, eras have 400 of them. From 1970 on.

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let (era, ofEra) = (month <= 2 ? year - 1 : year).quotientAndRemainder(dividingBy: 400)
        let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
    }

    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, ofEra) = (days + 719_468).quotientAndRemainder(dividingBy: 146_097)
        let year = (ofEra - ofEra / 1460 + ofEra / 36524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * year + year / 4 - year / 100)
        let month = (5 * ofYear + 2) / 153
        let day = ofYear - (153 * month + 2) / 5 + 1
        return (year + era * 400 + (month < 10 ? 0 : 1), month < 10 ? month + 3 : month - 9, day)
    }
}
