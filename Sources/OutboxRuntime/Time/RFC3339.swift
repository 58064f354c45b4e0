#if canImport(FoundationEssentials)
package import FoundationEssentials
#else
package import Foundation
#endif

/// Times as RFC 3339 writes them, in UTC with microseconds, which is what Postgres keeps.
package enum RFC3339 {
    /// Writes a time: `2026-01-31T12:00:00.000000Z`. One before the year 0 or after the year 9999, infinity included, is
    /// written as the first or the last that the format has.
    package static func text(_ date: Date) -> String {
        let seconds = min(max(date.timeIntervalSince1970, -62_167_219_200), 253_402_300_799)
        let micros = Int64((seconds * 1e6).rounded())
        let (whole, fraction) = micros.quotientAndFloor(by: 1_000_000)
        let (days, second) = whole.quotientAndFloor(by: 86400)
        let day = CivilDay.civil(days)
        return unsafe String(unsafeUninitializedCapacity: 27) { text in
            var index = 0
            func write(_ value: Int64, _ width: Int, then end: Unicode.Scalar) {
                var rest = value
                for place in stride(from: index + width - 1, through: index, by: -1) {
                    unsafe text[place] = UInt8(ascii: "0") + UInt8(rest % 10)
                    rest /= 10
                }
                unsafe text[index + width] = UInt8(ascii: end)
                index += width + 1
            }
            write(day.year, 4, then: "-")
            write(day.month, 2, then: "-")
            write(day.day, 2, then: "T")
            write(second / 3600, 2, then: ":")
            write(second / 60 % 60, 2, then: ":")
            write(second % 60, 2, then: ".")
            write(fraction, 6, then: "Z")
            return index
        }
    }

    /// Reads a time: `2026-01-31T12:00:00Z`, with or without a fraction, with `Z` or an offset such as `+01:00`.
    package static func date(_ text: String) -> Date? {
        var rest = Array(text.utf8)[...]
        func number(_ digits: Int) -> Int64? {
            guard rest.count >= digits else { return nil }
            var value: Int64 = 0
            for byte in rest.prefix(digits) {
                guard (48...57).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 48)
            }
            rest = rest.dropFirst(digits)
            return value
        }
        func skip(_ characters: String) -> Bool {
            guard let first = rest.first, characters.utf8.contains(first) else { return false }
            rest = rest.dropFirst()
            return true
        }
        guard let year = number(4), skip("-"), let month = number(2), skip("-"), let day = number(2), skip("Tt "),
            let hour = number(2), skip(":"), let minute = number(2), skip(":"), let second = number(2),
            (1...12).contains(month), day >= 1, day <= CivilDay.length(ofMonth: month, year), hour < 24, minute < 60,
            second <= 60
        else { return nil }
        var fraction = 0.0
        if skip(".") {
            var scale = 0.1
            guard let first = rest.first, (48...57).contains(first) else { return nil }
            while let digit = number(1) {
                fraction += Double(digit) * scale
                scale /= 10
            }
        }
        var offset: Int64 = 0
        if !skip("Zz") {
            let isWest = rest.first == UInt8(ascii: "-")
            guard skip("+-"), let hours = number(2), skip(":"), let minutes = number(2), hours < 24, minutes < 60 else {
                return nil
            }
            offset = (hours * 3600 + minutes * 60) * (isWest ? -1 : 1)
        }
        guard rest.isEmpty else { return nil }
        let seconds = CivilDay.days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset
        return Date(timeIntervalSince1970: Double(seconds) + fraction)
    }
}
