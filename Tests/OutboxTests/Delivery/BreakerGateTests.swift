import Logging
import Synchronization
import TestSupport
import Testing

@testable import Outbox

@Suite(.timeLimit(.minutes(5))) struct BreakerGateTests {
    private func gate(_ policy: BreakerPolicy, _ observer: DeliveryObserver = .unobserved("d")) -> BreakerGate {
        BreakerGate(policy: policy, random: SystemRandomNumberGenerator(), observer: observer) {}
    }

    private final class Course: Sendable {
        let isUp = Atomic(false)
        let left = Atomic(16)
    }

    /// Workers whose calls end in every way, or never, in any order. When all that begins from some moment on is delivered, all
    /// that waits is let through.
    @Test(arguments: 0..<20) func allThatWaitAreLetThroughInTheEnd(seed: UInt64) async {
        let gate = self.gate(
            .opening(afterFailures: 3, initialDelay: .microseconds(20), maximumDelay: .microseconds(50)))
        let course = Course()
        await withDiscardingTaskGroup { group in
            for worker in UInt64(0)..<16 {
                group.addTask {
                    var random = SplitMix(state: seed * 100 + worker)
                    for round in 0..<200 {
                        let wasUp = course.isUp.load(ordering: .acquiring)
                        guard let pass = await gate.pass() else { return }
                        let attempt = Breaker.Attempt(
                            id: Int64(round), subject: UInt64.random(in: 0..<9, using: &random), isRetry: round % 2 == 0
                        )
                        let outcomes: [Outcome] = [
                            .delivered, .reject("r"), .behind, .retry("a"), .unavailable("b"), .unavailable("c"),
                        ]
                        let outcome = wasUp ? .delivered : outcomes[Int.random(in: outcomes.indices, using: &random)]
                        let isLong = !wasUp && Int.random(in: 0..<4, using: &random) == 0
                        // Some that take long never end.
                        if isLong { gate.takesLong(pass) }
                        if isLong, Bool.random(using: &random) { continue }
                        for _ in 0..<Int.random(in: 0..<4, using: &random) { await Task.yield() }
                        _ = gate.report(attempt, outcome, pass)
                    }
                    course.left.subtract(1, ordering: .acquiringAndReleasing)
                }
            }
            group.addTask {
                var rounds = 0
                while course.left.load(ordering: .acquiring) > 0, !Task.isCancelled {
                    _ = gate.probe(now: .now)
                    rounds += 1
                    if rounds == 2000 { course.isUp.store(true, ordering: .releasing) }
                    await Task.yield()
                }
            }
        }
        let left = course.left.load(ordering: .acquiring)
        #expect(left == 0)
    }

    /// A log that asks what everybody asks would wait for ever if it was written to under the lock.
    @Test func nothingIsToldUnderTheLock() throws {
        let log = LogLines(from: .info)
        let gate = self.gate(
            .opening(initialDelay: .zero, maximumDelay: .zero),
            DeliveryObserver(
                destination: "d", subscription: "main", events: RelayEventHub(),
                logger: log.logger))
        let states = Mutex<[Bool]>([])
        let probes = Atomic(0)
        log.onLine { _ in
            let isOpen = gate.isOpen
            states.withLock { $0.append(isOpen) }
        }
        func report(_ outcome: Outcome) -> Breaker.Verdict {
            let pass = gate.isOpen ? Breaker.Pass.probe(probes.add(1, ordering: .relaxed).newValue) : .call
            return gate.report(Breaker.Attempt(id: 1, subject: 1, isRetry: false), outcome, pass)
        }
        #expect(report(.unavailable("down")) == .hold)
        #expect(report(.delivered) == .settle)
        #expect(states.withLock { $0 } == [true, false])
        gate.end()
    }

    /// A change that is made while another one is told is told after it.
    @Test func changesAreToldInTheirOrder() async throws {
        let log = LogLines(from: .info)
        let hub = RelayEventHub()
        let events = hub.subscribe(capacity: 100)
        let gate = self.gate(
            .opening(initialDelay: .zero, maximumDelay: .zero),
            DeliveryObserver(
                destination: "d", subscription: "main", events: hub,
                logger: log.logger))
        let attempt = Breaker.Attempt(id: 1, subject: 1, isRetry: false)
        let left = Atomic(5)
        log.onLine { _ in
            // The destination comes back, or goes down, while the log is written.
            if left.subtract(1, ordering: .relaxed).newValue < 0 { return }
            let isProbe = gate.isOpen && gate.probe(now: .now) == nil
            _ = gate.report(attempt, isProbe ? .delivered : .unavailable("down"), isProbe ? .probe(1) : .call)
        }
        _ = gate.report(attempt, .unavailable("down"), .call)
        #expect(left.load(ordering: .relaxed) < 0)
        hub.finish()
        let names = await events.reduce(into: [String]()) { names, event in
            switch event {
            case .opened: names.append("opened")
            case .closed: names.append("closed")
            default: break
            }
        }
        #expect(names.count == 6)
        #expect(names == names.indices.map { $0.isMultiple(of: 2) ? "opened" : "closed" })
        gate.end()
    }
}
