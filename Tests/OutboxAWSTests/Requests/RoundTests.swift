import Outbox
import OutboxTesting
import Testing

@testable import OutboxAWS

/// Which messages are sent in another round.
@Suite(.timeLimit(.minutes(5))) struct RoundTests {
    private func indexes(_ keys: [String?], _ again: Set<Int>, _ results: [Outcome], ordered: Bool = true) -> [Int] {
        let batch = MessageBatch(keys.map { .text("x", key: $0) }, isOrderedByKey: ordered)
        return ServiceClient.indexes(again, of: batch, results)
    }

    private static let throttled = Outcome.postpone(after: .zero, "throttled")

    @Test func whatIsBehindAMessageThatIsSentAgainComesAfterIt() {
        #expect(self.indexes(["k", "k", "o"], [0], [Self.throttled, .behind, .delivered]) == [0, 1])
    }

    @Test(arguments: [Outcome.retry("refused"), .postpone(after: .seconds(1), "not looked up"), .unavailable("down")])
    func whatIsBehindAMessageThatWaitsInTheOutboxIsNotSent(_ outcome: Outcome) {
        #expect(self.indexes(["k", "k", "o"], [2], [outcome, .behind, Self.throttled]) == [2])
        #expect(self.indexes(["k", "o", "k", "o"], [1], [outcome, Self.throttled, .behind, .behind]) == [1, 3])
    }

    @Test func aDeadLetterHoldsUpNothing() {
        #expect(self.indexes(["k", "k", "k"], [1], [.reject("bad"), Self.throttled, .behind]) == [1, 2])
    }

    @Test func withoutOrderNothingHoldsUpAnother() {
        let results = [Outcome.retry("refused"), Self.throttled]
        #expect(self.indexes(["k", "k"], [1], results, ordered: false) == [1])
    }

    @Test(arguments: [(0, 30), (131_071, 30), (131_072, 31), (14_000_000, 136)])
    func aLargeRequestHasTheTimeToGetThere(_ count: Int, _ seconds: Int) {
        #expect(ServiceClient.timeout(.seconds(30), byteCount: count) == .seconds(seconds))
    }
}
