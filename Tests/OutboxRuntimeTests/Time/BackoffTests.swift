import OutboxRuntime
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct BackoffTests {
    @Test func pausesGrowByTheFactorUpToTheCap() {
        let backoff = Backoff(base: .milliseconds(100), factor: 2, cap: .seconds(1), jitter: 0)
        var random = SeededGenerator(seed: 1)
        let pauses = (0..<6).map { backoff.pause(earlierFailures: $0, random: &random) }
        #expect(
            pauses == [
                .milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800), .seconds(1),
                .seconds(1),
            ])
        #expect(backoff.pause(earlierFailures: .max, draw: 1) == .seconds(1))
        #expect(backoff.pause(earlierFailures: -1, draw: 1) == .milliseconds(100))
    }

    @Test(arguments: [(0.0, 2.0), (0.5, 1.0), (1.0, 0.0)]) func jitterIsTheShareThatIsDrawn(
        jitter: Double, shortest: Double
    ) {
        let backoff = Backoff(base: .seconds(2), cap: .seconds(60), jitter: jitter)
        #expect(backoff.pause(earlierFailures: 0, draw: 0) == .seconds(shortest))
        #expect(backoff.pause(earlierFailures: 0, draw: 1) == .seconds(2))
        var random = SeededGenerator(seed: 2)
        let pauses = (0..<1000).map { _ in backoff.pause(earlierFailures: 1, random: &random).seconds }
        #expect(pauses.allSatisfy { $0 >= 2 * shortest && $0 <= 4 })
        if jitter > 0 { #expect(pauses.contains { $0 < 2.2 * shortest + 0.2 } && pauses.contains { $0 > 3.8 }) }
    }

    @Test func nothingAndAFactorOfOneNeedNoRounds() {
        #expect(Backoff(base: .zero, cap: .seconds(1)).pause(earlierFailures: .max, draw: 1) == .zero)
        #expect(Backoff(base: .seconds(3), cap: .zero).pause(earlierFailures: 0, draw: 1) == .zero)
        let constant = Backoff(base: .seconds(3), factor: 1, cap: .seconds(9), jitter: 0)
        #expect(constant.pause(earlierFailures: .max, draw: 1) == .seconds(3))
    }
}
