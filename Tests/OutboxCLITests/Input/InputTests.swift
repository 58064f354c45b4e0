import ArgumentParser
import Foundation
import Outbox
import OutboxRuntime
import Testing

@testable import OutboxCLI

/// What is read from command lines and lines of JSON.
@Suite(.timeLimit(.minutes(10))) struct InputTests {
    @Test(arguments: [
        ("2026-01-31T12:00:00Z", 1_769_860_800.0), ("1970-01-01T00:00:00.25Z", 0.25), ("1969-12-31T23:59:59Z", -1),
        ("2024-02-29T23:59:60+14:00", 1_709_200_800), ("2000-03-01t00:00:00-00:30", 951_870_600),
    ])
    func readsTimes(text: String, seconds: Double) {
        #expect(RFC3339.date(text)?.timeIntervalSince1970 == seconds)
    }

    @Test(arguments: [
        "", "2026-01-31", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00",
        "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00Zx", "2025-02-29T00:00:00Z",
    ])
    func refusesWhatIsNoTime(text: String) {
        #expect(RFC3339.date(text) == nil)
    }

    @Test func timesComeBackAsTheyWere() {
        for seconds in [0, -1, 1_769_860_800.123456, -62_135_596_800, 253_402_300_799, 951_782_400] {
            let date = Date(timeIntervalSince1970: seconds)
            let read = RFC3339.date(RFC3339.text(date))
            #expect(abs((read?.timeIntervalSince1970 ?? .infinity) - seconds) < 1e-4)
        }
        #expect(RFC3339.text(Date(timeIntervalSince1970: -0.5)) == "1969-12-31T23:59:59.500000Z")
        // What a row can claim and the format cannot say.
        for seconds in [1e12, 1e300, .infinity] {
            #expect(RFC3339.text(Date(timeIntervalSince1970: seconds)) == "9999-12-31T23:59:59.000000Z")
            #expect(RFC3339.text(Date(timeIntervalSince1970: -seconds)) == "0000-01-01T00:00:00.000000Z")
        }
    }

    @Test(arguments: [("250ms", 0.25), ("2s", 2), ("5m", 300), ("1.5h", 5400), ("7d", 604_800), ("3", 3)])
    func readsIntervals(text: String, seconds: Double) throws {
        #expect(try Interval(parsing: text).duration.inSeconds == seconds)
    }

    @Test(arguments: ["", "s", "-1s", "1x", "1 s", "1e99s", "..s", "10001d", "9e9"])
    func refusesWhatIsNoInterval(text: String) {
        #expect(throws: ValidationError.self) { try Interval(parsing: text) }
    }

    @Test(arguments: [
        ("stdotu", "stdout"), ("statsu", "status"), ("STATUS", "status"), ("xyzxyz", nil as String?),
    ])
    func findsTheNearestName(text: String, nearest: String?) {
        #expect(NearestName.of(text, among: ["stdout", "status", "file", "exec"]) == nearest)
    }

    @Test(arguments: [
        "{", "[1,]", "01", "1.", "-", "1e", "nul", "\"a", "\"\\x\"", "\"\u{1}\"", "{\"a\"}", "{\"a\":1,}", "[1 2]",
        "+1",
        String(repeating: "[", count: 1000),
    ])
    func refusesWhatIsNoJSON(text: String) {
        #expect(throws: JSONScanner.Problem.self) {
            var scanner = JSONScanner(Array(text.utf8)[...])
            _ = try scanner.value()
            try scanner.end()
        }
    }

    @Test(arguments: ["0", "-1.5e+7", "[]", "{}", " [1, {\"a\": [null, true]}] ", "\"\\u00e9\\ud83d\\ude00\\/\""])
    func passesOverJSON(text: String) throws {
        var scanner = JSONScanner(Array(text.utf8)[...])
        _ = try scanner.value()
        try scanner.end()
    }

    @Test(
        arguments: [
            ("a=stdout", "a", Sink.stdout), ("*=discard", nil, .discard), ("a=file:b=c:d", "a", .file("b=c:d")),
            ("a=exec:x | y", "a", .exec("x | y")),
        ] as [(String, String?, Sink)])
    func readsRoutes(text: String, destination: String?, sink: Sink) throws {
        let route = try RouteArgument(parsing: text)
        #expect(route.destination == destination && route.sink == sink)
    }

    @Test func numbersHaveCommas() {
        #expect([0, 999, 1000, -1_234_567].map(\.grouped) == ["0", "999", "1,000", "-1,234,567"])
    }
}
