import Outbox
import Testing

@Suite(.timeLimit(.minutes(1))) struct RateScheduleTests {
    private let start = ContinuousClock().now

    /// However batches come, early or late, no span has more than its share and what may be made up for.
    @Test(arguments: [0.5, 1, 7, 100, 12_345])
    func noSpanHasMoreThanTheLimit(rate: Double) {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20 {
            var schedule = RateSchedule(rate, now: self.start)
            var now = self.start
            var batches: [(begin: ContinuousClock.Instant, count: Int)] = []
            for _ in 0..<200 {
                let count = Int.random(in: 1...schedule.mostAtOnce, using: &random)
                let begin = max(schedule.reserve(count, now: now), now)
                batches.append((begin, count))
                // It is looked at again when that is over, or later.
                let pause = Double.random(in: 0...3, using: &random) * Double(count) / rate
                now = Bool.random(using: &random) ? begin : begin + .seconds(pause)
            }
            let most = RateSchedule.span / .seconds(1) * rate + Double(schedule.mostAtOnce) + 1e-3
            var excess: [Double] = []
            for first in batches.indices {
                var count = 0
                for last in first..<batches.count {
                    count += batches[last].count
                    let seconds = (batches[last].begin - batches[first].begin) / .seconds(1)
                    if Double(count) > seconds * rate + most { excess.append(Double(count) - seconds * rate) }
                }
            }
            #expect(excess.isEmpty, "\(excess.max() ?? 0) where \(most) may be")
        }
    }

    /// Where there is always one more, all of the limit is used.
    @Test func whatMayBeHandedOverIs() {
        var schedule = RateSchedule(50, now: self.start)
        var now = self.start
        for _ in 0..<500 { now = max(now, schedule.reserve(1, now: now)) }
        #expect(now - self.start <= .seconds(10))
        #expect(schedule.mostAtOnce == 5)
        #expect(RateSchedule(0.001, now: now).mostAtOnce == 1)
    }

    @Test func whatIsGivenBackIsForOthers() {
        var schedule = RateSchedule(10, now: self.start)
        _ = schedule.reserve(100, now: self.start)
        schedule.giveBack(99)
        #expect(schedule.reserve(1, now: self.start) == self.start + .milliseconds(100))
    }
}
