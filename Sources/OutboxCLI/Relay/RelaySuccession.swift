import Outbox
import OutboxRuntime
import Synchronization

/// Which relay runs, and which follows it.
final class RelaySuccession: Sendable {
    /// A relay that is to follow.
    struct Next: Sendable {
        let relay: Relay
        /// Called when it takes over.
        let takesOver: @Sendable () -> Void
    }

    private struct State {
        var relay: Relay
        var isOver = Latch()
        var next: Next?
        var isEnding = false

        /// How the relay is that runs; between two relays, the next one.
        var relayState: RelayState {
            let state = self.relay.state
            if state.phase == .ended, let next { return next.relay.state }
            return state
        }
    }

    private let state: Mutex<State>

    init(_ first: Relay) {
        self.state = Mutex(State(relay: first))
    }

    /// The relay that runs, and what is opened when it is to end.
    var current: (relay: Relay, isOver: Latch) { self.state.withLock { ($0.relay, $0.isOver) } }

    /// Has the relay end, and another follow it.
    ///
    /// - Returns: Whether another follows: not if all is to end.
    func replace(with next: Next) -> Bool {
        let isOver = self.state.withLock { state -> Latch? in
            if state.isEnding { return nil }
            state.next = next
            return state.isOver
        }
        isOver?.open()
        return isOver != nil
    }

    /// Has the relay end for good.
    func end() {
        self.state.withLock { state in
            state.isEnding = true
            return state.isOver
        }.open()
    }

    /// Does something before the first relay begins, and cancels it if that is to end.
    ///
    /// - Returns: Whether all is to end.
    func isCancelledAtEnd(_ body: @escaping @Sendable () async throws -> Void) async throws -> Bool {
        let isOver = self.current.isOver
        do {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                defer { tasks.cancelAll() }
                tasks.addTask { try await body() }
                tasks.addTask { await isOver.wait() }
                try await tasks.next()
            }
        } catch  where self.isEnding {
            // It was cancelled, and says so.
        }
        return self.isEnding
    }

    /// How the relay is that runs now.
    var relayState: RelayState { self.state.withLock(\.relayState) }

    /// How the relay is that runs now, as probes and scrapes see it.
    var health: RelayHealth {
        self.state.withLock { state in
            RelayHealth(state: state.relayState, isEnding: state.isEnding, streamCount: state.relay.streamCount)
        }
    }

    /// Whether no other relay follows.
    var isEnding: Bool { self.state.withLock(\.isEnding) }

    /// Called when the relay has ended.
    ///
    /// - Returns: Whether another follows.
    func advance() -> Bool {
        let next = self.state.withLock { state -> Next? in
            guard !state.isEnding, let next = state.next else {
                state.isEnding = true
                return nil
            }
            (state.relay, state.isOver, state.next) = (next.relay, Latch(), nil)
            return next
        }
        next?.takesOver()
        return next != nil
    }
}
