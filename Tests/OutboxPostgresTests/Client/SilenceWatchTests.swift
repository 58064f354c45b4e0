import Testing

@testable import OutboxPostgres

@Suite struct SilenceWatchTests {
    private let start = ContinuousClock.now

    private func after(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test func asksAtTwoThirdsAndGivesUpAtTheEnd() {
        var watch = SilenceWatch(limit: .seconds(30))
        #expect(watch.deadline == nil)
        watch.begin(now: start)
        #expect(watch.deadline == after(20))
        #expect(watch.timePassed(now: after(19)) == .wait)
        #expect(watch.timePassed(now: after(20)) == .ask(until: after(30)))
        #expect(watch.deadline == after(30))
        #expect(watch.timePassed(now: after(29)) == .wait)
        #expect(watch.timePassed(now: after(30)) == .giveUp)
    }

    @Test func aByteBeginsItAgain() {
        var watch = SilenceWatch(limit: .seconds(30))
        watch.begin(now: start)
        watch.heard(now: after(19))
        #expect(watch.deadline == after(39))
        _ = watch.timePassed(now: after(39))
        watch.heard(now: after(48))
        #expect(!watch.isAsking && watch.deadline == after(68))
    }

    @Test func aServerAtWorkIsWaitedForAgainAndAgain() {
        var watch = SilenceWatch(limit: .seconds(30))
        watch.begin(now: start)
        for round in 1...5 {
            #expect(watch.timePassed(now: after(round * 25)) == .ask(until: after(round * 25 + 10)))
            watch.serverIsWorking(now: after(round * 25 + 5))
            #expect(watch.deadline == after(round * 25 + 25))
        }
    }

    /// What comes late from the other connection does not concern the next wait.
    @Test func nothingIsWatchedWithoutAWait() {
        var watch = SilenceWatch(limit: .seconds(30))
        watch.heard(now: start)
        watch.serverIsWorking(now: start)
        #expect(watch.deadline == nil)
        watch.begin(now: start)
        watch.end()
        #expect(watch.timePassed(now: after(100)) == .wait)
        watch.begin(now: after(100))
        watch.serverIsWorking(now: after(110))
        #expect(watch.deadline == after(120))
    }

    /// A process that has stood still has not listened either.
    @Test func isNeverGivenUpWithoutHavingAsked() {
        var watch = SilenceWatch(limit: .seconds(30))
        watch.begin(now: start)
        #expect(watch.timePassed(now: after(1000)) == .ask(until: after(1010)))
    }
}
