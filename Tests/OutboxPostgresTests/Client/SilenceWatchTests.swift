import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(10))) struct SilenceWatchTests {
    private let start = ContinuousClock.now

    private func after(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test func asksAtHalfTimeAndGivesUpAtTheEnd() {
        var watch = SilenceWatch(limit: .seconds(20))
        #expect(watch.deadline == nil)
        watch.begin(now: start)
        #expect(watch.deadline == after(10))
        #expect(watch.timePassed(now: after(9)) == .wait)
        #expect(watch.timePassed(now: after(10)) == .ask(until: after(20)))
        #expect(watch.deadline == after(20))
        #expect(watch.timePassed(now: after(19)) == .wait)
        #expect(watch.timePassed(now: after(20)) == .giveUp)
    }

    @Test func aByteBeginsItAgain() {
        var watch = SilenceWatch(limit: .seconds(20))
        watch.begin(now: start)
        watch.heard(now: after(9))
        #expect(watch.deadline == after(19))
        _ = watch.timePassed(now: after(19))
        watch.heard(now: after(28))
        #expect(!watch.isAsking && watch.deadline == after(38))
    }

    @Test func aServerAtWorkIsWaitedForAgainAndAgain() {
        var watch = SilenceWatch(limit: .seconds(20))
        watch.begin(now: start)
        for round in 1...5 {
            #expect(watch.timePassed(now: after(round * 15)) == .ask(until: after(round * 15 + 10)))
            watch.serverIsWorking(now: after(round * 15 + 5))
            #expect(watch.deadline == after(round * 15 + 15))
        }
    }

    /// What comes late from the other connection does not concern the next wait.
    @Test func nothingIsWatchedWithoutAWait() {
        var watch = SilenceWatch(limit: .seconds(20))
        watch.heard(now: start)
        watch.serverIsWorking(now: start)
        #expect(watch.deadline == nil)
        watch.begin(now: start)
        watch.end()
        #expect(watch.timePassed(now: after(100)) == .wait)
        watch.begin(now: after(100))
        watch.serverIsWorking(now: after(105))
        #expect(watch.deadline == after(110))
    }

    /// A process that has stood still has not listened either.
    @Test func isNeverGivenUpWithoutHavingAsked() {
        var watch = SilenceWatch(limit: .seconds(20))
        watch.begin(now: start)
        #expect(watch.timePassed(now: after(1000)) == .ask(until: after(1010)))
    }
}
