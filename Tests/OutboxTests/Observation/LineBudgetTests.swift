import Testing

@testable import Outbox

@Suite(.timeLimit(.minutes(5))) struct LineBudgetTests {
    private let start = ContinuousClock.now

    @Test func theFirstOnesAreWrittenAndTheOthersCounted() throws {
        var budget = LineBudget(lines: 2, within: .seconds(10))
        #expect(budget.due == nil)
        let written = (1...100).filter { budget.note("error \($0)", now: self.start + .milliseconds($0)) }
        #expect(written == [1, 2])
        let due = try #require(budget.due)
        let early = budget.take(now: due - .nanoseconds(1))
        let counted = budget.take(now: due)
        let none = budget.take(now: due + .seconds(99))
        #expect(early == nil && none == nil && budget.due == nil)
        #expect(counted?.count == 98 && counted?.last == "error 100")
    }

    @Test func whatGoesOnIsCountedOn() {
        var budget = LineBudget(lines: 1, within: .seconds(10))
        let first = ["a", "b"].map { budget.note($0, now: self.start) }
        #expect(first == [true, false])
        let end = self.start + .seconds(10)
        _ = budget.take(now: end)
        let goesOn = budget.note("c", now: end + .seconds(1))
        #expect(!goesOn)
        #expect(budget.due == end + .seconds(10))
        let last = budget.take(now: end, isLast: true)
        #expect(last?.count == 1, "the last ones cannot wait")
        // After a quiet time it is news again.
        let isNews = budget.note("d", now: end + .seconds(60))
        #expect(isNews)
    }

    /// Whatever happens when, nothing is written twice or not at all.
    @Test(arguments: 0..<50) func everythingIsToldOnce(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var budget = LineBudget(lines: Int.random(in: 1...4, using: &random), within: .seconds(5))
        var now = self.start
        var told = 0
        for _ in 0..<1000 {
            now += .milliseconds(Int.random(in: 0...2000, using: &random))
            if let due = budget.due, due <= now, Bool.random(using: &random) {
                told += budget.take(now: now)?.count ?? 0
            }
            if budget.note("x", now: now) { told += 1 }
        }
        told += budget.take(now: now, isLast: true)?.count ?? 0
        #expect(told == 1000)
    }
}
