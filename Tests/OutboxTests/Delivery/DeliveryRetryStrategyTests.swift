import Testing

@testable import Outbox

@Suite(.timeLimit(.minutes(5))) struct DeliveryRetryStrategyTests {
    @Test func theLongestPauseDoublesUpToTheMaximum() {
        let policy = BackoffRetryStrategy.exponential(jitter: false)
        var random = SeededGenerator(seed: 1)
        let pauses = (1...12).map { policy.delay(afterAttempts: $0, random: &random) }
        #expect(pauses.prefix(4) == [.seconds(1), .seconds(2), .seconds(4), .seconds(8)])
        #expect(pauses.last == .seconds(600))
    }

    @Test func jitterIsBetweenNothingAndTheLongest() {
        let policy = BackoffRetryStrategy.exponential()
        var random = SeededGenerator(seed: 2)
        let pauses = (0..<1000).map { _ in policy.delay(afterAttempts: 3, random: &random) }
        #expect(pauses.allSatisfy { $0 >= .zero && $0 <= .seconds(4) })
        #expect(pauses.contains { $0 < .milliseconds(500) })
        #expect(pauses.contains { $0 > .milliseconds(3500) })
    }

    @Test(arguments: 1...12) func attemptsEnd(attempts: Int) {
        var random = SeededGenerator(seed: 3)
        let decision = BackoffRetryStrategy.exponential().decision(afterAttempts: attempts, random: &random)
        #expect((decision == .exhausted) == (attempts >= 10))
    }

    @Test func aMessageOverridesItsDestination() {
        var random = SeededGenerator(seed: 4)
        let policy = BackoffRetryStrategy.exponential(jitter: false)
        let options = MessageOptions(maximumAttempts: 2, maximumDelay: .milliseconds(10))
        #expect(policy.decision(afterAttempts: 1, options: options, random: &random) == .retry(after: .milliseconds(10)))
        #expect(policy.decision(afterAttempts: 2, options: options, random: &random) == .exhausted)
    }

    @Test func aHandlerCanAskForADelay() {
        var random = SeededGenerator(seed: 5)
        let policy = BackoffRetryStrategy.exponential()
        #expect(
            policy.decision(afterAttempts: 1, requested: .seconds(42), random: &random) == .retry(after: .seconds(42)))
        #expect(policy.decision(afterAttempts: 10, requested: .seconds(42), random: &random) == .exhausted)
    }

    @Test func neverMeansOnce() {
        var random = SeededGenerator(seed: 6)
        #expect(BackoffRetryStrategy.never.decision(afterAttempts: 1, random: &random) == .exhausted)
    }

    /// A strategy of an application's own: what it says is taken, within what makes sense and what the message says.
    @Test func anApplicationCanBringAStrategy() {
        struct ByPrimes: DeliveryRetryStrategy {
            let maximumAttempts = 5
            func pause(after attempt: FailedAttempt) -> Duration {
                .seconds([2, 3, 5, -7][attempt.number - 1]) * (attempt.draw >= 0 && attempt.draw <= 1 ? 1 : 0)
            }
        }
        var random = SeededGenerator(seed: 7)
        let strategy = ByPrimes()
        let decisions = (1...5).map { strategy.decision(afterAttempts: $0, random: &random) }
        #expect(
            decisions == [
                .retry(after: .seconds(2)), .retry(after: .seconds(3)), .retry(after: .seconds(5)), .retry(after: .zero),
                .exhausted,
            ])
        #expect(
            strategy.decision(afterAttempts: 1, requested: .seconds(42), random: &random) == .retry(after: .seconds(42)))
        let options = MessageOptions(maximumAttempts: 2, maximumDelay: .milliseconds(10))
        #expect(
            strategy.decision(afterAttempts: 1, options: options, random: &random) == .retry(after: .milliseconds(10)))
        #expect(strategy.decision(afterAttempts: 2, options: options, random: &random) == .exhausted)
        let patient = MessageOptions(maximumAttempts: 100)
        #expect(strategy.decision(afterAttempts: 3, options: patient, random: &random) == .retry(after: .seconds(5)))
    }

    @Test(arguments: [
        #"{"max_attempts": 0}"#, #"{"max_attempts": 1.5}"#, #"{"max_attempts": "3"}"#, #"{"max_delay": -1}"#,
        #"{"attempts": 3}"#, "[]", "3", "",
    ]) func optionsThatCannotBeReadAreRefused(json: String) {
        #expect(throws: MessageDefect.self) { try MessageOptions(json: json) }
    }

    @Test func optionsSurviveTheRoundTrip() throws {
        let options = MessageOptions(maximumAttempts: 3, maximumDelay: .milliseconds(1500))
        #expect(try MessageOptions(json: #require(options.json)) == options)
        #expect(MessageOptions().json == nil)
    }
}
