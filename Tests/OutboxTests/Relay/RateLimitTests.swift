import Outbox
import OutboxRuntime
import OutboxTesting
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct RateLimitTests {
    private func outbox(_ count: Int) throws -> InMemoryOutbox {
        let outbox = InMemoryOutbox()
        for number in 1...count { try outbox.enqueue(NewMessage(to: "d", key: "k\(number)", text: "x")) }
        return outbox
    }

    /// Runs a relay until so many are delivered.
    private func run(_ outbox: InMemoryOutbox, _ handler: DestinationHandler, until count: Int) async throws {
        let relay = RelayUnderTest.make(outbox, ["d": handler])
        let delivered = Atomic(0)
        try await RelayUnderTest.run(relay) { event in
            guard case .delivered = event else { return nil }
            return delivered.add(1, ordering: .relaxed).newValue == count ? .gracefully : nil
        }
    }

    /// It takes at least as long as the limit says, with what may be made up for; on a slow machine longer.
    @Test func messagesComeNoFaster() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        try await self.run(
            try self.outbox(50), .handler(concurrency: 16, maximumRate: 100) { _ in }, until: 50)
        #expect(clock.now - start >= .milliseconds(1000 * (50 - 1 - 10) / 100))
    }

    @Test func batchesAreSmallAndComeNoFaster() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let largest = Mutex(0)
        let handler = DestinationHandler.batch(concurrency: 3, maximumRate: 100) { messages in
            largest.withLock { $0 = max($0, messages.count) }
            return messages.map { _ in .delivered }
        }
        try await self.run(try self.outbox(60), handler, until: 60)
        #expect(clock.now - start >= .milliseconds(1000 * (60 - 10 - 10) / 100))
        #expect((1...10).contains(largest.withLock { $0 }))
    }

    /// Lanes that had their turn while the destination was down do not call all at once when it is up.
    @Test func aDestinationThatIsUpAgainIsGivenNoMore() async throws {
        let clock = ContinuousClock()
        let state = Mutex<(calls: Int, up: ContinuousClock.Instant?)>((0, nil))
        let breaker = BreakerPolicy.opening(initialDelay: .milliseconds(800), maximumDelay: .milliseconds(800))
        let handler = DestinationHandler.handler(concurrency: 16, breaker: breaker, maximumRate: 5) { _ in
            try state.withLock { state in
                state.calls += 1
                if state.calls <= 5 { throw DeliveryFailure.unavailable("down") }
                if state.up == nil { state.up = clock.now }
            }
        }
        try await self.run(try self.outbox(16), handler, until: 16)
        let up = try #require(state.withLock { $0.up })
        // Fifteen more, of which one may be made up for, and those whose turn was reserved before come in theirs.
        #expect(clock.now - up >= .milliseconds(1000 * (15 - 2) / 5))
    }

    /// What waits for its turn has not begun: it keeps no relay from ending, and comes with the next one.
    @Test func whatWaitsForItsTurnEndsWithTheRelay() async throws {
        let outbox = try self.outbox(3)
        let seen = Mutex<[String?]>([])
        for run in 1...3 {
            let relay = RelayUnderTest.make(
                outbox,
                [
                    "d": .handler(concurrency: 1, maximumRate: 0.001) { message in
                        seen.withLock { $0.append(message.key) }
                    }
                ]
            ) { $0.shutdown.deadline = .milliseconds(1) }
            try await RelayUnderTest.run(relay) { event in
                if case .delivered = event { .gracefully } else { nil }
            }
            #expect(seen.withLock { $0.count } == run)
        }
        #expect(Set(seen.withLock { $0 }) == ["k1", "k2", "k3"])
    }

    @Test func aLimitThatCannotBeIsRefused() {
        for rate in [0, -1, 0.0009, 1_000_001, .infinity, .nan] as [Double] {
            #expect(throws: InvalidSetting.self) { try DeliverySettings(maximumRate: rate).resolve(for: .message) }
        }
        #expect(DeliverySettings(concurrency: 1).merged(over: DeliverySettings(maximumRate: 7)).maximumRate == 7)
        #expect(DeliverySettings(maximumRate: 2).merged(over: DeliverySettings(maximumRate: 7)).maximumRate == 2)
    }
}
