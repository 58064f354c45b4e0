import Testing

@testable import Outbox

@Suite(.timeLimit(.minutes(5))) struct SlowCallsTests {
    private let start = ContinuousClock.now

    private func look(_ calls: inout SlowCalls, at seconds: Double, _ numbers: [UInt64?]) -> [String] {
        calls.look(now: self.start + .seconds(seconds)) { numbers[$0] }.map { "\($0.lane):\($0.call)" }
    }

    @Test func aCallIsFoundWhenItWasSeenForAsLongAsTheLimit() {
        var calls = SlowCalls(limit: .seconds(2), lanes: 3)
        #expect(self.look(&calls, at: 0, [1, nil, 7]) == [])
        #expect(self.look(&calls, at: 1.9, [1, 4, 8]) == [], "the third lane is in another call")
        #expect(self.look(&calls, at: 2, [1, 4, 8]) == ["0:1"])
        #expect(self.look(&calls, at: 3.9, [2, nil, 8]) == ["2:8"])
        #expect(self.look(&calls, at: 5.9, [2, 4, nil]) == ["0:2"], "the second lane was idle in between")
        #expect(self.look(&calls, at: 7.9, [nil, 4, nil]) == ["1:4"])
    }

    @Test func laneByLaneItIsLookedAtFourTimesALimit() {
        var calls = SlowCalls(limit: .seconds(2), lanes: 1)
        #expect(calls.due(now: self.start) == self.start, "at once, before the first look")
        _ = self.look(&calls, at: 0, [1])
        #expect(calls.due(now: self.start) == self.start + .milliseconds(500))
    }

    @Test func whatWasSeenBeforeARestDoesNotCount() {
        var calls = SlowCalls(limit: .seconds(2), lanes: 1)
        _ = self.look(&calls, at: 0, [1])
        calls.rest()
        #expect(self.look(&calls, at: 10, [1]) == [])
        #expect(self.look(&calls, at: 12, [1]) == ["0:1"])
    }
}
