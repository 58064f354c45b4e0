@testable import Outbox
import Testing

@Suite(.timeLimit(.minutes(5))) struct CommitScheduleTests {
    private let start = ContinuousClock.now
    private func schedule() -> CommitSchedule {
        CommitSchedule(interval: .milliseconds(100), messages: 1000, maximumDelay: .seconds(1))
    }

    @Test func nothingToCommitIsNeverCommitted() {
        var schedule = self.schedule()
        for (isIdle, isFull) in [(false, false), (false, true), (true, false), (true, true)] {
            #expect(schedule.decide(now: self.start, committable: 0, isIdle: isIdle, isFull: isFull) == .nothing)
        }
    }

    @Test func theFirstOutcomeAfterQuietIsCommittedAtOnce() {
        var schedule = self.schedule()
        #expect(schedule.decide(now: self.start, committable: 1, isIdle: true, isFull: false) == .now)
    }

    @Test func idleCommitsKeepTheInterval() {
        var schedule = self.schedule()
        schedule.committed(at: self.start)
        let soon = self.start + .milliseconds(30)
        #expect(
            schedule.decide(now: soon, committable: 1, isIdle: true, isFull: false)
                == .at(self.start + .milliseconds(100)))
        let later = self.start + .milliseconds(100)
        #expect(schedule.decide(now: later, committable: 1, isIdle: true, isFull: false) == .now)
    }

    @Test func underLoadACommitIsWorthAThousandMessages() {
        var schedule = self.schedule()
        schedule.committed(at: self.start)
        let now = self.start + .milliseconds(150)
        #expect(
            schedule.decide(now: now, committable: 999, isIdle: false, isFull: false) == .at(now + .seconds(1)))
        #expect(schedule.decide(now: now, committable: 1000, isIdle: false, isFull: false) == .now)
        #expect(
            schedule.decide(now: self.start + .milliseconds(10), committable: 5000, isIdle: false, isFull: false)
                == .at(self.start + .milliseconds(100)), "but not sooner than the interval")
    }

    @Test func nothingWaitsLongerThanTheMaximumDelay() {
        var schedule = self.schedule()
        schedule.committed(at: self.start)
        let now = self.start + .milliseconds(200)
        #expect(schedule.decide(now: now, committable: 1, isIdle: false, isFull: false) == .at(now + .seconds(1)))
        #expect(
            schedule.decide(now: now + .milliseconds(999), committable: 5, isIdle: false, isFull: false)
                == .at(now + .seconds(1)), "counted from the first")
        #expect(schedule.decide(now: now + .seconds(1), committable: 5, isIdle: false, isFull: false) == .now)
    }

    @Test func aFullWindowIsCommittedAtOnce() {
        var schedule = self.schedule()
        schedule.committed(at: self.start)
        #expect(schedule.decide(now: self.start, committable: 1, isIdle: false, isFull: true) == .now)
    }
}
