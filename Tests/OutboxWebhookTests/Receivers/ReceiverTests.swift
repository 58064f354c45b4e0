import OutboxRuntime
import TestSupport
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
    func ask(_ endpoint: String, at now: ContinuousClock.Instant) -> Bool { self.gone.ask(endpoint, at: now) }
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
        for (probe, earlier, pause) in [(1, 1.0, 2.0), (2, 2, 4), (3, 4, 8), (4, 8, 8)] {
            #expect(receiver.admission(at: at(now)) == .probe)
            receiver.begin(probe: probe, at: at(now))
            // Each wait that ends is written: not more often than the receiver is probed.
            #expect(receiver.admission(at: at(now)) == .wait(.seconds(earlier), reason: "f1"))
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
        // What it asks for is a minimum: nothing, or too little, would have messages sent for ever that count no attempts.
        #expect(receiver.throttle("429", for: .seconds(1), at: at(9), draw: 1) == .seconds(8))
        #expect(receiver.throttle("429", for: .zero, at: at(9), draw: 0) == .seconds(4))
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

    /// A table with receivers that were found to be down several times in a row, the last time for 8 s from second 7 on.
    private func table(down count: Int, times: Int = 4) -> ReceiverTable {
        let table = ReceiverTable(Self.policy)
        for number in 0..<count {
            for second in [0.0, 1, 3, 7].prefix(times) {
                _ = table.update("\(number)") {
                    $0.fail(message: 1, "down", isCertain: true, at: at(second), draw: 0)
                }
            }
        }
        return table
    }

    @Test(arguments: [(3, 2), (8, 2), (9, 3), (80, 20)])
    func someReceiversAreProbedAtATime(_ down: Int, _ slots: Int) {
        let table = self.table(down: down)
        var tickets = (0..<slots).map { try? table.begin("\($0)", at: at(15)).get() }
        #expect(tickets.allSatisfy { $0 != nil })
        #expect(throws: ReceiverTable.Wait(pause: .seconds(8), reason: "down")) {
            try table.begin("\(slots)", at: at(15)).get()
        }
        tickets.removeLast()
        #expect(throws: Never.self) { try table.begin("\(slots)", at: at(15)).get() }
        withExtendedLifetime(tickets) {}
        #expect(table.outage(of: "0") == "down" && table.outage(of: "d") == nil)
    }

    @Test func theFirstProbesOfAReceiverWaitForNoOther() {
        let table = self.table(down: 9, times: 3)
        let tickets = (0..<9).map { try? table.begin("\($0)", at: at(7)).get() }
        #expect(tickets.allSatisfy { $0 != nil })
    }

    @Test func thoseThatAreBackTakeNoShareOfTheProbes() {
        let table = self.table(down: 24)
        for number in 3..<24 { _ = table.update("\(number)") { $0.succeed() } }
        let tickets = (0..<2).map { try? table.begin("\($0)", at: at(15)).get() }
        #expect(tickets.allSatisfy { $0 != nil })
        #expect(throws: ReceiverTable.Wait.self) { try table.begin("2", at: at(15)).get() }
        withExtendedLifetime(tickets) {}
    }

    /// A receiver that failed, and that no message names again, is not kept for ever.
    @Test func whatWasLongAgoIsForgotten() {
        let (failed, down, throttling) = (Subject(Self.policy), Subject(Self.policy), Subject(Self.policy))
        _ = failed.fail(1, at: 0)
        _ = down.fail(1, certain: true, at: 0)
        _ = throttling.throttle("429", for: .seconds(60), at: at(0), draw: 0)
        for (receiver, end) in [(failed, 0.0), (down, 1), (throttling, 60)] {
            #expect(!receiver.isForgettable(at: at(end + 3600)) && receiver.isForgettable(at: at(end + 3601)))
            receiver.begin(probe: nil, at: at(end + 3601))
            #expect(!receiver.isForgettable(at: at(end + 9000)))
        }
    }

    /// However slow a rate is, the line that it makes is no sign of a slow receiver.
    @Test(arguments: [0.00002, 0.05, 0.3, 1, 10]) func aRateIsNoSlowReceiver(_ rate: Double) throws {
        var configuration = WebhookConfiguration(address: "https://{header.host}/x", hosts: ["*"])
        configuration.limits.requestsPerSecond = rate
        configuration.limits.requestsPerHost = 1
        let service = try WebhookService(configuration, logger: LogLines().logger)
        let line = max(1, Int(rate * 4))
        let tickets = (0..<line).map { number in
            // One has its turn after the other.
            try? service.receivers.begin("https://a.example", at: at(number == 0 ? 0 : Double(line) / rate)).get()
        }
        #expect(tickets.allSatisfy { $0 != nil })
        #expect(tickets.first??.refusal(at: at(Double(line) / rate)) == nil)
        #expect(throws: ReceiverTable.Wait.self) { try service.receivers.begin("https://a.example", at: at(0)).get() }
        withExtendedLifetime(tickets) {}
    }

    @Test func whatIsGoneIsAskedFromTimeToTime() {
        let gone = GoneSubject()
        #expect(!gone.holds("a", at: at(0)) && gone.ask("a", at: at(0)) && gone.ask("a", at: at(0)))
        #expect(gone.add("a", at: at(0)) && !gone.add("a", at: at(0)))
        #expect(gone.holds("a", at: at(599)) && !gone.ask("a", at: at(599)))
        // To look uses nothing up; what is sent does.
        #expect(!gone.holds("a", at: at(600)) && !gone.holds("a", at: at(601)))
        #expect(gone.ask("a", at: at(601)) && !gone.ask("a", at: at(602)) && gone.holds("a", at: at(602)))
        #expect(gone.remove("a") && !gone.remove("a") && !gone.holds("a", at: at(601)))
        for number in 0..<GoneEndpoints.capacity { _ = gone.add("\(number)", at: at(0)) }
        // Without room for it there is no line in the log for each message either.
        #expect(!gone.add("more", at: at(0)) && !gone.holds("more", at: at(0)) && gone.holds("5", at: at(0)))
        #expect(gone.add("5", at: at(300)) == false)
        // Those that were not asked since make room.
        #expect(gone.add("more", at: at(600)) && gone.holds("more", at: at(600)) && gone.holds("5", at: at(600)))
        #expect(!gone.add("5", at: at(600)) && gone.add("6", at: at(600)))
    }
}
