import Outbox
import OutboxRuntime
import OutboxTesting
import Synchronization
import Testing

@testable import OutboxCLI

/// Which relay runs, and which follows it.
@Suite(.timeLimit(.minutes(5))) struct RelaySuccessionTests {
    private func relay() -> Relay { Relay(store: InMemoryOutbox(), routes: ["d": .handler { _ in }]) }

    /// What belongs to a relay, such as the numbers that are shown, changes when the relay does.
    @Test func aRelayTakesOverWhenTheOneBeforeHasEnded() {
        let (first, second) = (self.relay(), self.relay())
        let succession = RelaySuccession(first)
        let takeovers = Mutex(0)
        let isReplaced = succession.replace(
            with: RelaySuccession.Next(relay: second) { takeovers.withLock { $0 += 1 } })
        #expect(isReplaced && takeovers.withLock { $0 } == 0)
        #expect(succession.current.relay === first && succession.current.isOver.isOpen)
        #expect(succession.advance() && takeovers.withLock { $0 } == 1)
        #expect(succession.current.relay === second && !succession.current.isOver.isOpen)
        #expect(!succession.advance() && succession.isEnding && takeovers.withLock { $0 } == 1)
    }

    @Test func noneTakesOverWhenAllIsToEnd() {
        let succession = RelaySuccession(self.relay())
        let takeovers = Mutex(0)
        let next = RelaySuccession.Next(relay: self.relay()) { takeovers.withLock { $0 += 1 } }
        succession.end()
        #expect(!succession.replace(with: next) && !succession.advance())
        // Nor where that is found out between the two.
        let other = RelaySuccession(self.relay())
        #expect(other.replace(with: next))
        other.end()
        #expect(!other.advance() && takeovers.withLock { $0 } == 0)
    }

    /// A relay that has ended is not how things are while another one follows it.
    @Test func betweenTwoRelaysTheNextOneCounts() async throws {
        let first = self.relay()
        let running = Task { try await first.run() }
        running.cancel()
        _ = await running.result
        #expect(first.state.phase == .ended)
        let succession = RelaySuccession(first)
        #expect(succession.relayState.phase == .ended && succession.health.state.phase == .ended)
        #expect(succession.replace(with: RelaySuccession.Next(relay: self.relay()) {}))
        #expect(succession.relayState.phase == .starting && succession.health.state.phase == .starting)
    }

    private struct Refusal: Error {}

    @Test func whatIsDoneFirstIsCancelledAtTheEnd() async throws {
        let succession = RelaySuccession(self.relay())
        let begun = Latch()
        async let isOver = succession.isCancelledAtEnd {
            begun.open()
            try await Task.sleep(for: .seconds(86400))
        }
        await begun.wait()
        succession.end()
        #expect(try await isOver)
        let other = RelaySuccession(self.relay())
        #expect(try await !other.isCancelledAtEnd {})
        await #expect(throws: Refusal.self) { _ = try await other.isCancelledAtEnd { throw Refusal() } }
    }
}
