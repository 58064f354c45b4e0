import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(10))) struct SegmentPlanTests {
    private static let day = SegmentPolicy()

    private func segment(
        _ number: Int, current: Bool = false, empty: Bool = false, bytes: Int = 100, hours: Double
    ) -> SegmentFacts {
        SegmentFacts(
            number: number, isCurrent: current, isEmpty: empty, bytes: bytes, age: .seconds(hours * 3600))
    }

    @Test func anEmptyLogNeedsNothing() {
        let plan = SegmentPlan(
            [self.segment(0, current: true, empty: true, hours: 999), self.segment(1, empty: true, hours: 999)],
            policy: Self.day)
        #expect(plan.candidates.isEmpty && plan.finished == nil && plan.next == nil)
    }

    @Test func theCurrentOneIsNotFinishedBeforeAThirdOfTheRetention() {
        let big = 2 << 30
        let early = SegmentPlan([self.segment(2, current: true, bytes: big, hours: 7)], policy: Self.day)
        #expect(early.finished == nil && early.next == .seconds(3600))
        #expect(SegmentPlan([self.segment(2, current: true, bytes: big, hours: 8)], policy: Self.day).finished == 2)
    }

    @Test func withoutRetentionSizeOrAgeFinishesTheCurrentOne() {
        var policy = SegmentPolicy()
        policy.retention = .zero
        #expect(SegmentPlan([self.segment(0, current: true, bytes: 1 << 30, hours: 0)], policy: policy).finished == 0)
        let small = SegmentPlan([self.segment(0, current: true, hours: 0.5)], policy: policy)
        #expect(small.finished == nil && small.next == .seconds(1800))
        #expect(SegmentPlan([self.segment(0, current: true, hours: 1)], policy: policy).finished == 0)
    }

    @Test func whatIsOldEnoughIsACandidateTheOldestFirst() {
        let plan = SegmentPlan(
            [
                self.segment(0, hours: 25), self.segment(1, current: true, empty: true, hours: 1),
                self.segment(2, hours: 23), self.segment(3, hours: 30),
            ], policy: Self.day)
        #expect(plan.candidates == [3, 0])
        #expect(plan.finished == nil && plan.next == .seconds(3600))
    }
}

@Suite(.timeLimit(.minutes(10))) struct JanitorScheduleTests {
    private let start = ContinuousClock.now

    @Test func theFirstLookIsAtOnce() {
        #expect(JanitorSchedule(interval: .seconds(10)).nextPass(now: self.start) == self.start)
    }

    @Test func nothingReadAndNothingDueMeansNoTimer() {
        var schedule = JanitorSchedule(interval: .seconds(10))
        schedule.passed(at: self.start, next: nil)
        #expect(schedule.nextPass(now: self.start + .seconds(100)) == nil)
        schedule.messagesWereRead()
        #expect(schedule.nextPass(now: self.start + .seconds(100)) == self.start + .seconds(10))
    }

    @Test func whatWillBeDueIsWaitedFor() {
        var schedule = JanitorSchedule(interval: .seconds(10))
        schedule.passed(at: self.start, next: .seconds(3600))
        #expect(schedule.nextPass(now: self.start) == self.start + .seconds(3600))
        schedule.messagesWereRead()
        #expect(schedule.nextPass(now: self.start) == self.start + .seconds(10))
        schedule.passed(at: self.start, next: .zero)
        #expect(schedule.nextPass(now: self.start) == self.start + .seconds(10))
    }
}
