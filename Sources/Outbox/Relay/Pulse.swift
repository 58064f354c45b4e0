import Synchronization

/// Whether the store has answered the relay's session lately.
///
/// A process that is stopped (SIGSTOP, a debugger, a suspended machine), or that the network cuts off, does not notice. Other relays end its
/// session once it has been silent for ``silence``, and deliver its streams. So no handler is called for longer than ``trust`` after
/// something was asked that the store has answered: what was handed out by then waits until the store has answered again, or is dropped
/// with the session. What counts is when it was asked: the answer may have waited for the process in a socket.
///
/// Of time that passes while the whole machine is suspended, the system's clock knows; of a virtual machine that was paused from
/// outside, it may not.
package final class Pulse: Sendable {
    /// How long a relay's session may be silent before another relay ends it.
    package static let silence = Duration.seconds(30)
    /// For how long after a question that was answered the session is taken to be alive.
    static let trust = Duration.seconds(20)

    private struct State {
        var waiting: [Int: CheckedContinuation<Bool, Never>] = [:]
        var count = 0
    }

    private let clock = ContinuousClock()
    private let origin: ContinuousClock.Instant
    /// Until when, in nanoseconds after `origin`.
    private let end: Atomic<Int64>
    private let state = Mutex(State())
    private let awaited = Atomic(false)
    private let onAwaited: @Sendable () -> Void

    /// - Parameter onAwaited: Called, from any thread, when the store is to be asked something.
    init(onAwaited: @escaping @Sendable () -> Void) {
        self.origin = self.clock.now
        self.end = Atomic(0)
        self.onAwaited = onAwaited
    }

    private func nanoseconds(_ instant: ContinuousClock.Instant) -> Int64 {
        let (seconds, attoseconds) = (instant - self.origin).components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    // MARK: Workers

    /// Whether a handler may be called.
    var isTrusted: Bool {
        self.nanoseconds(self.clock.now) < self.end.load(ordering: .relaxed)
    }

    /// Waits until the store has answered.
    ///
    /// - Returns: false: the task was cancelled, the handler is not to be called.
    func wait() async -> Bool {
        let number = self.state.withLock { state in
            state.count += 1
            return state.count
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = self.state.withLock { state in
                    if Task.isCancelled { return false }
                    if self.isTrusted { return true }
                    state.waiting[number] = continuation
                    return nil
                }
                if let answer { return continuation.resume(returning: answer) }
                if !self.awaited.exchange(true, ordering: .acquiringAndReleasing) { self.onAwaited() }
            }
        } onCancel: {
            self.state.withLock { $0.waiting.removeValue(forKey: number) }?.resume(returning: false)
        }
    }

    // MARK: The relay

    /// Whether workers wait for the store to answer.
    var isAwaited: Bool { self.awaited.load(ordering: .acquiring) }

    /// The store has answered something that was asked then, or later.
    func answered(askedAt instant: ContinuousClock.Instant) {
        let end = self.nanoseconds(instant + Self.trust)
        if end > self.end.load(ordering: .relaxed) { self.end.store(end, ordering: .relaxed) }
        if !self.isAwaited || !self.isTrusted { return }
        let waiting = self.state.withLock { state in
            self.awaited.store(false, ordering: .releasing)
            defer { state.waiting.removeAll() }
            return Array(state.waiting.values)
        }
        for continuation in waiting { continuation.resume(returning: true) }
    }
}
