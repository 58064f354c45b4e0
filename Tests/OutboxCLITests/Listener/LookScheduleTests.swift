import Testing

@testable import OutboxCLI

/// When the database is looked at for scrapes.
@Suite(.timeLimit(.minutes(1))) struct LookScheduleTests {
    private let start = ContinuousClock.now

    private func ask(_ schedule: inout LookSchedule, _ now: ContinuousClock.Instant) -> LookSchedule.Step {
        schedule.ask(now: now)
    }

    @Test func scrapesShareALook() {
        var schedule = LookSchedule()
        #expect(self.ask(&schedule, self.start) == .begin)
        #expect(self.ask(&schedule, self.start + .seconds(1)) == .wait)
        schedule.ended(after: .milliseconds(10), wasTooLong: false, now: self.start + .seconds(1))
        #expect(self.ask(&schedule, self.start + .seconds(5)) == .take)
        #expect(self.ask(&schedule, self.start + .seconds(6)) == .begin)
    }

    /// A person is shown what was seen a moment ago, and not kept waiting; what was changed since, or is too old, is looked at first.
    @Test func aPersonDoesNotWaitForANewLook() {
        var schedule = LookSchedule()
        #expect(schedule.ask(now: self.start, patience: .seconds(20)) == .begin)
        #expect(schedule.ask(now: self.start, patience: .seconds(20)) == .wait)
        schedule.ended(after: .milliseconds(10), wasTooLong: false, now: self.start)
        #expect(schedule.ask(now: self.start + .seconds(4), patience: .seconds(20)) == .take)
        #expect(schedule.ask(now: self.start + .seconds(5), patience: .seconds(20)) == .renew)
        #expect(schedule.ask(now: self.start + .seconds(6), patience: .seconds(20)) == .take)
        // What scrapes waits for the look that has begun.
        #expect(self.ask(&schedule, self.start + .seconds(6)) == .wait)
        #expect(schedule.ask(now: self.start + .seconds(25), patience: .seconds(20)) == .wait)
        schedule.ended(after: .milliseconds(10), wasTooLong: false, now: self.start + .seconds(26))
        schedule.forget()
        #expect(schedule.ask(now: self.start + .seconds(27), patience: .seconds(20)) == .begin)
        schedule.ended(after: .milliseconds(10), wasTooLong: false, now: self.start + .seconds(27))
        #expect(schedule.ask(now: self.start + .seconds(52), patience: .seconds(20)) == .begin)
    }

    @Test func aLookThatIsDearIsRare() {
        var schedule = LookSchedule()
        _ = schedule.ask(now: self.start)
        schedule.ended(after: .seconds(1), wasTooLong: false, now: self.start)
        #expect(self.ask(&schedule, self.start + .seconds(49)) == .take)
        #expect(self.ask(&schedule, self.start + .seconds(50)) == .begin)
        schedule.ended(after: .seconds(3), wasTooLong: false, now: self.start)
        // Not so rare that a number would be of another time.
        #expect(self.ask(&schedule, self.start + .seconds(60)) == .begin)
    }

    @Test func whatTakesTooLongIsCountedLessFar() {
        var schedule = LookSchedule()
        for limit in [10_000, 1000, 1000] {
            _ = schedule.ask(now: self.start)
            schedule.ended(after: .seconds(4), wasTooLong: true, now: self.start)
            #expect(schedule.countLimit == limit)
            #expect(self.ask(&schedule, self.start + .seconds(5)) == .begin)
        }
        schedule.ended(after: .seconds(1), wasTooLong: false, now: self.start)
        #expect(schedule.countLimit == 1000)
        for limit in [10_000, 100_000, 100_000] {
            schedule.ended(after: .milliseconds(500), wasTooLong: false, now: self.start)
            #expect(schedule.countLimit == limit)
        }
    }
}
