import OutboxRuntime

/// Dates of HTTP (RFC 9110, 5.6.7), in seconds since 1970: the one that is written, and the two obsolete forms that are read.
enum HTTPDate {
    /// - Parameter now: By which the two digits of the year in the form of RFC 850 are understood: no more than 50 years ahead.
    /// - Returns: nil: it is none.
    static func seconds(_ text: String, now: Int64) -> Int64? {
        let words = text.split { $0 == " " || $0 == "," || $0 == "-" && !text.hasPrefix("-") }.map(String.init)
        switch words.count {
        // Sun, 06 Nov 1994 08:49:37 GMT; Sunday, 06-Nov-94 08:49:37 GMT
        case 6 where words[5] == "GMT" || words[5] == "UTC":
            guard self.isDayName(words[0]), let day = self.number(words[1], 2), let month = self.month(words[2]),
                let second = self.secondOfDay(words[4])
            else { return nil }
            if words[3].utf8.count == 2 {
                guard let digits = self.number(words[3], 2) else { return nil }
                return self.seconds(self.year(digits, now: now), month, day, second)
            }
            guard let year = self.number(words[3], 4) else { return nil }
            return self.seconds(year, month, day, second)
        // Sun Nov  6 08:49:37 1994
        case 5:
            guard self.isDayName(words[0]), let month = self.month(words[1]),
                let day = self.number(words[2], words[2].utf8.count), words[2].utf8.count <= 2,
                let second = self.secondOfDay(words[3]), let year = self.number(words[4], 4)
            else { return nil }
            return self.seconds(year, month, day, second)
        default:
            return nil
        }
    }

    private static func seconds(_ year: Int64, _ month: Int64, _ day: Int64, _ second: Int64) -> Int64? {
        guard day >= 1, day <= CivilDay.length(ofMonth: month, year) else { return nil }
        return CivilDay.days(year, month, day) * 86400 + second
    }

    private static func year(_ digits: Int64, now: Int64) -> Int64 {
        let current = CivilDay.civil(now.quotientAndFloor(by: 86400).0).year
        let year = current / 100 * 100 + digits
        return year > current + 50 ? year - 100 : year
    }

    private static func isDayName(_ word: String) -> Bool {
        ["sun", "mon", "tue", "wed", "thu", "fri", "sat"].contains(String(word.lowercased().prefix(3)))
    }

    private static func month(_ word: String) -> Int64? {
        let names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
        return names.firstIndex(of: word.lowercased()).map { Int64($0 + 1) }
    }

    private static func secondOfDay(_ word: String) -> Int64? {
        let parts = word.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let hour = self.number(String(parts[0]), 2),
            let minute = self.number(String(parts[1]), 2),
            let second = self.number(String(parts[2]), 2), hour < 24, minute < 60, second <= 60
        else { return nil }
        return hour * 3600 + minute * 60 + second
    }

    private static func number(_ word: String, _ digits: Int) -> Int64? {
        guard word.utf8.count == digits, digits > 0, word.utf8.allSatisfy({ (48...57).contains($0) }) else {
            return nil
        }
        return Int64(word)
    }
}
