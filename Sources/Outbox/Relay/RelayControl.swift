import Synchronization

/// How a relay is asked to end, from any thread.
final class RelayControl: Sendable {
    private struct State {
        var isStopping = false
        var deadline: ContinuousClock.Instant?
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
        var lastID = 0
    }

    private let state = Mutex(State())

    /// Whether the relay has been asked to end.
    var isStopping: Bool { self.state.withLock(\.isStopping) }

    /// Asks the relay to end.
    func stop() {
        let waiting = self.state.withLock { state in
            state.isStopping = true
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Returns when the relay has been asked to end, or the task is cancelled.
    func stopped() async {
        let id = self.state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = self.state.withLock { state in
                    if state.isStopping || Task.isCancelled { return true }
                    state.waiting[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            self.state.withLock { $0.waiting.removeValue(forKey: id) }?.resume()
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
