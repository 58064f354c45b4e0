import OutboxHTTP

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// How far this machine's clock is from that of a server that has refused it. Google refuses what was signed at a time that is too far
/// from its own, and does not always say that this is why.
struct ClockDifference: CustomStringConvertible {
    private let seconds: Int

    /// Google's servers take what is up to five minutes off.
    private static let tolerance = 120

    /// - Returns: nil: the clocks agree, or the server has not said what time it is.
    init?(_ response: HTTPResponse, now: Date = Date()) {
        guard let text = response.value(of: "date"), let date = Self.date(text) else { return nil }
        let seconds = Int(now.timeIntervalSince(date))
        guard abs(seconds) > Self.tolerance else { return nil }
        self.seconds = seconds
    }

    /// What is wrong, in a sentence.
    var description: String {
        let minutes = max(1, (abs(self.seconds) + 30) / 60)
        return "this machine’s clock is \(minutes) min \(self.seconds > 0 ? "ahead of" : "behind") the server’s: set it"
    }

    /// The form that servers send (RFC 9110, IMF-fixdate): `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func date(_ text: String) -> Date? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", let day = Int(parts[1]), let year = Int(parts[3]),
            let month = Self.months.firstIndex(of: String(parts[2]))
        else { return nil }
        let time = parts[4].split(separator: ":").compactMap { Int($0) }
        guard time.count == 3, (1...31).contains(day), (1970...9999).contains(year), (0..<24).contains(time[0]),
            (0..<60).contains(time[1]), (0...60).contains(time[2])
        else { return nil }
        var components = DateComponents()
        components.year = year
        components.month = month + 1
        components.day = day
        components.hour = time[0]
        components.minute = time[1]
        components.second = time[2]
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = TimeZone(secondsFromGMT: 0) ?? calendar.timeZone
        return calendar.date(from: components)
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
}
