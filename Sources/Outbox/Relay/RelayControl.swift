import Synchronization

/// How a relay is asked to end, from any thread.
final class RelayControl: Sendable {
    private struct State {
        var isStopping = false
        var deadline: ContinuousClock.Instant?
        var wake: (@Sendable () -> Void)?
        var failures = 0
    }

    private let state = Mutex(State())

    /// Whether the relay has been asked to end.
    var isStopping: Bool { self.state.withLock(\.isStopping) }

    /// Asks the relay to end.
    func stop() {
        let wake = self.state.withLock { state in
            state.isStopping = true
            return state.wake
        }
        wake?()
    }

    /// Says how the running session is woken, nil when there is none any more.
    func onStop(_ wake: (@Sendable () -> Void)?) {
        self.state.withLock { $0.wake = wake }
    }

    /// A session delivers.
    func sessionStarted() {
        self.state.withLock { $0.failures = 0 }
    }

    /// A session has ended with an error.
    ///
    /// - Returns: How many have, since the last one that delivered.
    func sessionFailed() -> Int {
        self.state.withLock { state in
            state.failures += 1
            return state.failures
        }
    }

    /// Until when begun work may take, once the relay has been asked to end.
    func drainDeadline(now: ContinuousClock.Instant, allowed: Duration) -> ContinuousClock.Instant? {
        self.state.withLock { state in
            guard state.isStopping else { return nil }
            let deadline = state.deadline ?? now + allowed
            state.deadline = deadline
            return deadline
        }
    }
}
