import OutboxRuntime
import Testing

@Suite(.timeLimit(.minutes(1))) struct DurationTextTests {
    @Test(arguments: [
        ("30s", Duration.seconds(30)), ("500ms", .milliseconds(500)), ("700ms", .milliseconds(700)),
        ("2m", .seconds(120)),
        ("2min", .seconds(120)), ("1.5h", .seconds(5400)), ("7d", .seconds(604_800)), ("250us", .microseconds(250)),
        ("30", .seconds(30)), ("0", .zero), ("0.25", .milliseconds(250)),
    ])
    func whatIsADuration(text: String, duration: Duration) throws {
        #expect(try DurationText.duration(text) == duration)
    }

    @Test(arguments: ["", "s", "-1s", "1 s", "1e9", "1.2.3s", "1w", "½s", "1S", "s1", "١s", "nan", "infinity"])
    func whatIsNone(text: String) {
        #expect(throws: DurationText.Defect.notADuration) { try DurationText.duration(text) }
    }

    @Test(arguments: ["10001d", "99999999999999999999s", "1000000000000h"]) func whatIsTooLong(text: String) {
        #expect(throws: DurationText.Defect.tooLong) { try DurationText.duration(text) }
    }

    @Test func theLongestIsNone() throws {
        #expect(try DurationText.duration("10000d") == DurationText.longest)
    }

    @Test func millisecondsAreRoundedUp() {
        #expect(Duration.nanoseconds(1).wholeMilliseconds == 1)
        #expect(Duration.milliseconds(20).wholeMilliseconds == 20)
        #expect((Duration.milliseconds(20) + .nanoseconds(1)).wholeMilliseconds == 21)
        #expect(Duration.zero.wholeMilliseconds == 0)
        #expect(Duration.nanoseconds(-1).wholeMilliseconds == 0)
        #expect(Duration.seconds(-100).wholeMilliseconds == 0)
        #expect(Duration.seconds(Int64.max).wholeMilliseconds == 1_000_000_000)
    }
}
