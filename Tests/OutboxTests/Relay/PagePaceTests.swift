import Testing

@testable import Outbox

@Suite(.timeLimit(.minutes(1))) struct PagePaceTests {
    private let start = ContinuousClock.now

    @Test func aPageHasWhatIsDeliveredInHalfASecond() {
        var pace = PagePace(least: 250, most: 2000)
        #expect(pace.messages == 250)
        pace.settled(250, submitted: self.start, now: self.start + .milliseconds(125))
        #expect(pace.messages == 1000)
        // It has waited for the one before it: what counts is the time since then.
        pace.settled(1000, submitted: self.start, now: self.start + .milliseconds(625))
        #expect(pace.messages == 1000)
        pace.settled(1000, submitted: self.start, now: self.start + .milliseconds(626))
        #expect(pace.messages == 2000)
    }

    /// A message that comes alone says how fast it was, not how few there were.
    @Test func silenceIsNotSlow() {
        var pace = PagePace(least: 250, most: 2000)
        for second in 0..<10 {
            let submitted = self.start + .seconds(second)
            pace.settled(1, submitted: submitted, now: submitted + .microseconds(100))
            #expect(pace.messages == 2000)
        }
    }

    @Test(arguments: [(250, 2000), (64, 10), (1, 1)]) func itStaysWithinItsLimits(least: Int, most: Int) {
        var pace = PagePace(least: least, most: most)
        #expect(pace.messages == min(least, most))
        for duration in [Duration.zero, .nanoseconds(1), .seconds(1), .seconds(86400 * 10_000), .seconds(-5)] {
            for count in [1, most, 1_000_000] {
                pace.settled(count, submitted: self.start, now: self.start + duration)
                #expect((min(least, most)...most).contains(pace.messages))
            }
        }
    }

    @Test func eachCallHasEnoughOfIt() {
        #expect(DestinationHandler.handler(concurrency: 8) { _ in }.leastPage == 250)
        #expect(DestinationHandler.handler(concurrency: 100) { _ in }.leastPage == 400)
        #expect(
            DestinationHandler.batch(maximumCount: 500, concurrency: 4) { $0.map { _ in .delivered } }.leastPage == 2000
        )
        #expect(DestinationHandler.batch(maximumCount: .max) { $0.map { _ in .delivered } }.leastPage >= 250)
    }

    /// A page is over in half a second, also where that is due to a limit of rate.
    @Test func aLimitOfRateMakesPagesSmall() {
        for (rate, count) in [(0.01, 1), (10, 5), (400, 200), (10_000, 5000)] as [(Double, Int)] {
            let handler = DestinationHandler.handler(maximumRate: rate) { _ in }
            #expect(handler.mostPage == count && handler.leastPage == min(count, 256))
        }
    }
}
