import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct ThrottlePauseTests {
    private let begin = ContinuousClock.now

    /// Sixty-four requests are on their way when the service begins to throttle: that is one reason to wait, not sixty-four.
    @Test func answersToWhatWasSentBeforeAPauseDoNotRaiseIt() {
        let pause = ThrottlePause()
        let first = pause.next(at: self.begin)
        for _ in 0..<64 { #expect(pause.next(at: self.begin) == first) }
        #expect(first <= .milliseconds(250))
        #expect(pause.next(at: self.begin + first / 2) == first - first / 2, "what is left of it")
    }

    @Test func itGrowsWhenThePauseDidNotHelpAndEndsWhenItDid() {
        let pause = ThrottlePause()
        var now = self.begin
        for _ in 0..<12 { now += pause.next(at: now) }
        #expect(pause.next(at: now) >= .seconds(10))
        pause.reset()
        #expect(pause.next(at: now) <= .milliseconds(250))
    }
}
