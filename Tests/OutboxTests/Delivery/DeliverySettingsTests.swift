import OutboxRuntime
import Testing

@testable import Outbox

@Suite(.timeLimit(.minutes(5))) struct DeliverySettingsTests {
    private static let given = DeliverySettings(
        retry: .constant(.seconds(3), maximumAttempts: 4), concurrency: 5, ordering: .unordered, breaker: .off,
        parking: .never, maximumCount: 6)

    private static func expectGiven(_ settings: DeliverySettings, sourceLocation: SourceLocation = #_sourceLocation) {
        for kind in [DeliverySettings.Kind.message, .batch] {
            let resolved = settings.resolved(for: kind)
            #expect(
                resolved.retry.maximumAttempts == 4
                    && resolved.retry.pause(after: FailedAttempt(number: 9)) == .seconds(3)
                    && resolved.concurrency == 5 && !resolved.ordering.isByKey && resolved.breaker.isOff
                    && resolved.parkedAfter == nil && resolved.maximumCount == 6, sourceLocation: sourceLocation)
        }
    }

    @Test func whatIsNotGivenIsTheDefaultOfTheKind() throws {
        let message = try DeliverySettings().resolve(for: .message)
        let batch = try DeliverySettings().resolve(for: .batch)
        #expect(message.concurrency == 64 && batch.concurrency == 4)
        #expect(message.parkedAfter == .seconds(2) && batch.parkedAfter == .seconds(30))
        for settings in [message, batch] {
            #expect(settings.retry.maximumAttempts == 10 && settings.maximumCount == 1000)
            #expect(settings.retry as? BackoffRetryStrategy == .exponential())
            #expect(settings.ordering == .byKey && settings.breaker == .opening())
        }
    }

    @Test func whatIsGivenIsNoDefault() {
        Self.expectGiven(Self.given)
    }

    @Test func theUpperLayerCounts() {
        let other = DeliverySettings(
            retry: .exponential(), concurrency: 7, ordering: .byKey, breaker: .opening(), parking: .after(.seconds(1)),
            maximumCount: 8)
        Self.expectGiven(Self.given.merged(over: other))
    }

    @Test func whatIsNotGivenIsThatOfTheLowerLayer() {
        Self.expectGiven(DeliverySettings().merged(over: Self.given))
        Self.expectGiven(Self.given.merged(over: DeliverySettings()))
        Self.expectGiven(DeliverySettings(concurrency: 5).merged(over: Self.given))
    }

    /// Each of its numbers can come from another layer, such as a file and the command line.
    @Test func theNumbersOfARetryAreMergedOneByOne() {
        let layers = [
            DeliverySettings(retry: .exponential(maximumAttempts: 3)),
            DeliverySettings(retry: .exponential(initialDelay: .seconds(5))),
            DeliverySettings(
                retry: .exponential(maximumAttempts: 9, multiplier: 3, maximumDelay: .seconds(11), jitter: false)),
        ]
        let merged = layers.reduce(DeliverySettings()) { $0.merged(over: $1) }.resolved(for: .message).retry
        #expect(
            merged as? BackoffRetryStrategy
                == .exponential(
                    maximumAttempts: 3, initialDelay: .seconds(5), multiplier: 3, maximumDelay: .seconds(11),
                    jitter: false))
        #expect(merged.pause(after: FailedAttempt(number: 2)) == .seconds(11))
    }

    @Test func aStrategyOfAnApplicationIsReplacedAsAWhole() {
        struct Weekly: DeliveryRetryStrategy {
            func pause(after attempt: FailedAttempt) -> Duration { .seconds(7 * 86400) }
        }
        let lower = DeliverySettings(retry: .exponential(maximumAttempts: 3))
        #expect(DeliverySettings(retry: Weekly()).merged(over: lower).retry?.maximumAttempts == 10)
        #expect(lower.merged(over: DeliverySettings(retry: Weekly())).retry is BackoffRetryStrategy)
        #expect(DeliverySettings().merged(over: DeliverySettings(retry: Weekly())).retry is Weekly)
    }

    /// A task that sleeps for that long traps.
    private static let forever = Duration.seconds(Int64.max)

    @Test(arguments: [
        (DeliverySettings(retry: .exponential(maximumAttempts: 0)), "retry.maximumAttempts is at least 1"),
        (DeliverySettings(retry: .constant(.seconds(-1))), "retry.initialDelay is not negative"),
        (
            DeliverySettings(retry: .exponential(multiplier: 0.5)),
            "retry.multiplier is at least 1: pauses do not shrink"
        ),
        (DeliverySettings(retry: .exponential(maximumDelay: .seconds(-1))), "retry.maximumDelay is not negative"),
        (DeliverySettings(concurrency: 0), "concurrency is 1 to 1024"),
        (DeliverySettings(concurrency: 1025), "concurrency is 1 to 1024"),
        (DeliverySettings(breaker: .opening(afterFailures: 0)), "breaker.failures is at least 1"),
        (DeliverySettings(breaker: .opening(initialDelay: .seconds(-1))), "breaker.initialDelay is not negative"),
        (DeliverySettings(breaker: .opening(maximumDelay: .seconds(-1))), "breaker.maximumDelay is not negative"),
        (DeliverySettings(parking: .after(.zero)), "parking is more than 0s"),
        (DeliverySettings(maximumCount: 0), "maximumCount is at least 1"),
        (
            DeliverySettings(retry: .exponential(multiplier: .nan)),
            "retry.multiplier is at least 1: pauses do not shrink"
        ),
        (DeliverySettings(retry: .exponential(initialDelay: forever)), "retry.initialDelay is at most 10000d"),
        (DeliverySettings(retry: .exponential(maximumDelay: forever)), "retry.maximumDelay is at most 10000d"),
        (DeliverySettings(breaker: .opening(initialDelay: forever)), "breaker.initialDelay is at most 10000d"),
        (DeliverySettings(breaker: .opening(maximumDelay: forever)), "breaker.maximumDelay is at most 10000d"),
        (DeliverySettings(parking: .after(forever)), "parking is at most 10000d"),
    ]) func whatCannotBeIsRefused(settings: DeliverySettings, text: String) {
        let error = #expect(throws: InvalidSetting.self) { try settings.resolve(for: .batch) }
        #expect(error?.description == text)
        // And it is not hidden by a layer below.
        #expect(throws: InvalidSetting.self) { try settings.merged(over: Self.given).resolve(for: .batch) }
    }
}
