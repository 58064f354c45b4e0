import OutboxRuntime
import Testing

@testable import OutboxWebhook

private let start = ContinuousClock.now
private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

/// What is expected of calls that change a value.
private final class Subject {
    private var receiver: Receiver

    init(_ policy: Receiver.Policy) { self.receiver = Receiver(policy) }

    var isDown: Bool { self.receiver.isDown }
    func isForgettable(at now: ContinuousClock.Instant) -> Bool { self.receiver.isForgettable(at: now) }
    func admission(at now: ContinuousClock.Instant) -> Receiver.Admission { self.receiver.admission(at: now) }
    func begin(probe: Int?, at now: ContinuousClock.Instant) { self.receiver.begin(probe: probe, at: now) }
    func end(probe: Int?, at now: ContinuousClock.Instant) { self.receiver.end(probe: probe, at: now) }
    func succeed() -> Bool { self.receiver.succeed() }
    func refusal(probe: Int?, handedOver: ContinuousClock.Instant, at now: ContinuousClock.Instant) -> String? {
        self.receiver.refusal(probe: probe, handedOver: handedOver, at: now)
    }
    func fail(_ message: Int64, certain: Bool = false, at seconds: Double) -> Bool {
        self.receiver.fail(
            message: message, "f\(message)", isCertain: certain, at: start + .seconds(seconds), draw: 0.5)
    }
    func throttle(_ reason: String, for pause: Duration?, at now: ContinuousClock.Instant, draw: Double) -> Duration {
        self.receiver.throttle(reason, for: pause, at: now, draw: draw)
    }
}

private final class GoneSubject {
    private var gone = GoneEndpoints()

    func holds(_ endpoint: String, at now: ContinuousClock.Instant) -> Bool { self.gone.holds(endpoint, at: now) }
    func add(_ endpoint: String, at now: ContinuousClock.Instant) -> Bool { self.gone.add(endpoint, at: now) }
    func remove(_ endpoint: String) -> Bool { self.gone.remove(endpoint) }
}

@Suite(.timeLimit(.minutes(1))) struct ReceiverTests {
    private static let policy = Receiver.Policy(
        failures: 3, pauses: Backoff(base: .seconds(1), cap: .seconds(8), jitter: 0), patience: .seconds(2), lineUp: 4,
        longestWait: .seconds(9),
        longestLine: nil)

    @Test func severalMessagesInARowHaveToFail() {
        let receiver = Subject(Self.policy)
        #expect(!receiver.fail(1, at: 0) && !receiver.fail(1, at: 0) && !receiver.fail(1, at: 0))
        #expect(!receiver.fail(2, at: 0) && !receiver.isDown)
        #expect(!receiver.succeed())
        #expect(!receiver.fail(3, at: 0) && !receiver.fail(4, at: 0) && receiver.fail(5, at: 0))
        #expect(receiver.isDown && receiver.admission(at: at(0)) == .wait(.seconds(1), reason: "f5"))
    }

    @Test func oneProbeAtATimeAfterGrowingPauses() {
        let receiver = Subject(Self.policy)
        #expect(receiver.fail(1, certain: true, at: 0))
        // What was under way then says nothing new.
        #expect(!receiver.fail(2, at: 0.5))
        #expect(receiver.admission(at: at(0.9)) == .wait(.seconds(0.1), reason: "f1"))
        var now = 1.0
        for (probe, pause) in [(1, 2.0), (2, 4), (3, 8), (4, 8)] {
            #expect(receiver.admission(at: at(now)) == .probe)
            receiver.begin(probe: probe, at: at(now))
            #expect(receiver.admission(at: at(now)) == .wait(.seconds(1), reason: "f1"))
            #expect(receiver.refusal(probe: probe, handedOver: at(now), at: at(now)) == nil)
            #expect(receiver.refusal(probe: nil, handedOver: at(now), at: at(now)) == "f1")
            #expect(!receiver.fail(1, at: now))
            receiver.end(probe: probe, at: at(now))
            #expect(receiver.admission(at: at(now)) == .wait(.seconds(pause), reason: "f1"))
            now += pause
        }
        receiver.begin(probe: 5, at: at(now))
        #expect(receiver.succeed() && !receiver.isDown && receiver.admission(at: at(now)) == .pass)
        receiver.end(probe: 5, at: at(now))
        #expect(receiver.isForgettable(at: at(now)))
        // The pauses begin with the first one again.
        #expect(receiver.fail(1, certain: true, at: now))
        #expect(receiver.admission(at: at(now)) == .wait(.seconds(1), reason: "f1"))
    }

    @Test func aProbeThatWasCancelledIsFollowedByAnother() {
        let receiver = Subject(Self.policy)
        _ = receiver.fail(1, certain: true, at: 0)
        receiver.begin(probe: 1, at: at(1))
        receiver.end(probe: 1, at: at(1))
        #expect(receiver.admission(at: at(1)) == .probe)
    }

    @Test func aReceiverThatThrottlesIsLeftAlone() {
        let receiver = Subject(Self.policy)
        #expect(receiver.throttle("429", for: .seconds(5), at: at(0), draw: 1) == .seconds(5))
        #expect(receiver.admission(at: at(4)) == .wait(.seconds(1), reason: "429") && !receiver.isDown)
        #expect(receiver.refusal(probe: nil, handedOver: at(4), at: at(4)) == "429")
        #expect(receiver.admission(at: at(5)) == .pass)
        // Without a time, longer and longer.
        #expect(receiver.throttle("429", for: nil, at: at(6), draw: 1) == .seconds(2))
        #expect(receiver.throttle("429", for: nil, at: at(9), draw: 1) == .seconds(4))
        // Several answers of one wave are one.
        #expect(receiver.throttle("429", for: nil, at: at(9), draw: 1) == .seconds(8))
        #expect(receiver.throttle("429", for: .seconds(1), at: at(9), draw: 1) == .seconds(1))
        #expect(receiver.admission(at: at(16)) == .wait(.seconds(1), reason: "429"))
        _ = receiver.succeed()
        #expect(receiver.throttle("429", for: nil, at: at(20), draw: 1) == .seconds(1))
    }

    @Test func aSlowReceiverHasNoLine() {
        let receiver = Subject(Self.policy)
        for _ in 0..<4 { receiver.begin(probe: nil, at: at(0)) }
        #expect(receiver.admission(at: at(2)) == .pass)
        #expect(receiver.admission(at: at(2.1)) == .wait(.seconds(2), reason: "the receiver is slow"))
        #expect(receiver.refusal(probe: nil, handedOver: at(0), at: at(9.1)) == "the receiver is slow")
        #expect(receiver.refusal(probe: nil, handedOver: at(0), at: at(9)) == nil)
        receiver.end(probe: nil, at: at(3))
        receiver.begin(probe: nil, at: at(3))
        #expect(receiver.admission(at: at(3)) == .pass)
    }

    @Test func aReceiverWithALimitOfRateHasAShortLine() {
        let receiver = Subject(
            Receiver.Policy(
                failures: 3, pauses: nil, patience: .seconds(2), lineUp: 4, longestWait: .seconds(9), longestLine: 2))
        receiver.begin(probe: nil, at: at(0))
        #expect(receiver.admission(at: at(0)) == .pass)
        receiver.begin(probe: nil, at: at(0))
        #expect(
            receiver.admission(at: at(0))
                == .wait(.seconds(1), reason: "as many messages as are sent in some seconds wait for the receiver"))
    }

    @Test func twoReceiversAreTriedAtATime() {
        let table = ReceiverTable(Self.policy)
        for origin in ["a", "b", "c"] {
            _ = table.update(origin) { $0.fail(message: 1, "down", isCertain: true, at: at(0), draw: 0) }
        }
        var tickets = ["a", "b"].map { try? table.begin($0, at: at(1)).get() }
        #expect(tickets.allSatisfy { $0 != nil })
        #expect(throws: ReceiverTable.Wait(pause: .seconds(1), reason: "down")) {
            try table.begin("c", at: at(1)).get()
        }
        tickets.removeLast()
        #expect(throws: Never.self) { try table.begin("c", at: at(1)).get() }
        #expect(table.outage(of: "a") == "down" && table.outage(of: "d") == nil)
    }

    @Test func whatIsGoneIsAskedFromTimeToTime() {
        let gone = GoneSubject()
        #expect(!gone.holds("a", at: at(0)))
        #expect(gone.add("a", at: at(0)) && !gone.add("a", at: at(0)))
        #expect(gone.holds("a", at: at(599)) && !gone.holds("a", at: at(600)) && gone.holds("a", at: at(601)))
        #expect(gone.remove("a") && !gone.remove("a") && !gone.holds("a", at: at(601)))
        for number in 0..<GoneEndpoints.capacity { _ = gone.add("\(number)", at: at(0)) }
        #expect(gone.add("more", at: at(0)) && !gone.holds("more", at: at(0)) && gone.holds("5", at: at(0)))
    }
}
