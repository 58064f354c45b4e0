import Foundation
import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct UTCTimeTests {
    @Test(arguments: [
        (0, "19700101T000000Z"), (951_782_400, "20000229T000000Z"), (1_440_938_160, "20150830T123600Z"),
        (4_107_542_399, "21000228T235959Z"), (253_402_300_799, "99991231T235959Z"),
    ])
    func isWrittenAndReadAsSignaturesHaveIt(_ seconds: Int64, _ text: String) {
        #expect(UTCTime(seconds: seconds).basic == text)
        #expect(UTCTime(basic: text)?.seconds == seconds)
        #expect(UTCTime(seconds: seconds).day == text.prefix(8))
    }

    @Test func daysOfFourCenturiesAreReadAsTheyWereWritten() {
        for day in stride(from: Int64(0), to: 146_097, by: 29) {
            let time = UTCTime(seconds: day * 86400 + 3723)
            if UTCTime(basic: time.basic) != time { Issue.record("\(time)") }
        }
    }

    @Test func readsAnExpiration() {
        #expect(UTCTime(iso8601: "2015-08-30T12:36:00Z")?.seconds == 1_440_938_160)
        #expect(UTCTime(iso8601: "2015-08-30T12:36:00.123Z")?.seconds == 1_440_938_160)
    }

    @Test(arguments: ["", "2015-08-30T12:36:00", "2015-13-30T12:36:00Z", "2015-08-30", "x015-08-30T12:36:00Z"])
    func refusesWhatIsNoExpiration(_ text: String) { #expect(UTCTime(iso8601: text) == nil) }

    @Test func readsAHeadersDate() {
        #expect(UTCTime(httpDate: "Sun, 30 Aug 2015 12:36:00 GMT")?.seconds == 1_440_938_160)
    }

    @Test(arguments: [
        "", "Sunday, 30-Aug-15 12:36:00 GMT", "Sun, 30 Foo 2015 12:36:00 GMT", "Sun, 30 Aug 2015 25:36:00 GMT",
    ])
    func refusesWhatIsNoHeadersDate(_ text: String) { #expect(UTCTime(httpDate: text) == nil) }
}
