import Outbox
import Testing

@testable import OutboxPostgres

/// What a relay says of itself in its session's name, and when.
@Suite(.timeLimit(.minutes(10))) struct ActivityReportTests {
    private static let outage = StreamActivity.Outage(reason: "refused", since: .now)

    private func report(_ activity: [Int32: (inFlight: Int, isDown: Bool)]) -> ActivityReport {
        ActivityReport(
            Dictionary(
                activity.map {
                    (
                        StreamID($0.key),
                        StreamActivity(inFlight: $0.value.inFlight, outage: $0.value.isDown ? Self.outage : nil)
                    )
                },
                uniquingKeysWith: { first, _ in first }))
    }

    @Test func isReadAsItWasWritten() {
        let report = self.report([1: (120, false), 2: (0, false), 7: (0, true), 9: (3, true)])
        let text = report.text(named: "outbox relay")
        #expect(text == "outbox relay [123 9:3! 7:0! 1:120]")
        let read = ActivityReport.reading(text)
        #expect(read.name == "outbox relay" && read.report == report)
        #expect(read.report?.activity(of: 2) == ActivityReport.Stream(inFlight: 0, isDown: false))
        #expect(read.report?.activity(of: 7) == ActivityReport.Stream(inFlight: 0, isDown: true))
    }

    /// However many streams there are and whatever the session is called: a name that the server would cut is never written,
    /// what is down comes before what is busy, and of what is left out nothing is claimed.
    @Test(
        arguments: [0, 1, 2, 3, 5, 8, 100],
        ["", "relay", "a name that is much too long for what comes behind it", "a [1]"])
    func fitsAndClaimsNothingThatItDoesNotSay(count: Int, name: String) {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            var activity: [Int32: (inFlight: Int, isDown: Bool)] = [:]
            for _ in 0..<count {
                activity[.random(in: 1 ... .max, using: &random)] = (
                    .random(in: 0...99_999, using: &random), .random(using: &random)
                )
            }
            let report = self.report(activity)
            let text = report.text(named: name)
            #expect(text.utf8.count <= 63, "\(text)")
            let read = ActivityReport.reading(text)
            #expect(read.report?.inFlight == activity.values.reduce(0) { $0 + $1.inFlight }, "\(text)")
            for (stream, truth) in activity {
                let said = read.report?.activity(of: stream)
                #expect(
                    said == nil || said == ActivityReport.Stream(inFlight: truth.inFlight, isDown: truth.isDown),
                    "\(text)")
            }
            // Nothing that is down is left out for something that is not.
            let shown = read.report?.streams ?? [:]
            if shown.values.contains(where: { !$0.isDown }) {
                #expect(activity.filter(\.value.isDown).keys.allSatisfy { shown[$0] != nil }, "\(text)")
            }
        }
    }

    @Test(arguments: ["", "psql", "a [b]", "a [1 2]", "a [1 2:x]", "[", "]", "a []", "a [1 2:3:4]"])
    func anyOtherNameSaysNothing(text: String) {
        let read = ActivityReport.reading(text)
        #expect(read.name == text && read.report == nil)
    }

    @Test func whatIsOverInASecondIsNotSaid() {
        let start = ContinuousClock.now
        let (idle, busy, busier) = (self.report([:]), self.report([1: (5, false)]), self.report([1: (6, false)]))
        var schedule = ActivitySchedule(announced: idle)
        schedule.note(busy, now: start)
        #expect(schedule.due == start + .seconds(1))
        schedule.note(idle, now: start + .milliseconds(900))
        #expect(schedule.due == nil && schedule.take(now: start + .seconds(5)) == nil)
        // What lasts is said once a second at most, and as it is then.
        schedule.note(busy, now: start + .seconds(6))
        schedule.note(busier, now: start + .milliseconds(6900))
        #expect(schedule.take(now: start + .milliseconds(6999)) == nil)
        #expect(schedule.take(now: start + .seconds(7)) == busier)
        #expect(schedule.due == nil && schedule.take(now: start + .seconds(9)) == nil)
        schedule.note(idle, now: start + .seconds(9))
        #expect(schedule.due == start + .seconds(10))
    }
}
