import Synchronization

/// Tells one waiting task to look again. A signal that is raised while no task waits is kept for the next wait.
package final class Signal: Sendable {
    private struct State {
        var isRaised = false
        var isWake = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    package init() {}

    /// Ends the current or the next wait.
    ///
    /// - Parameter wake: Whether the waiting task is to return, even if it finds nothing.
    package func raise(wake: Bool = false) {
        let waiter = self.state.withLock { state in
            state.isRaised = true
            if wake { state.isWake = true }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Takes back what was raised. To be called before looking: what is raised while looking ends the next wait.
    ///
    /// - Returns: Whether it was a wake.
    package func lower() -> Bool {
        self.state.withLock { state in
            defer {
                state.isRaised = false
                state.isWake = false
            }
            return state.isWake
        }
    }

    /// Waits until the signal is raised, the deadline has come or the task is cancelled.
    package func wait(until deadline: ContinuousClock.Instant?) async {
        guard let deadline else { return await self.wait() }
        async let _: Void = self.raise(at: deadline)
        await self.wait()
        // The timer is cancelled at the end of its scope.
    }

    private func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isRaised = self.state.withLock { state in
                    precondition(state.waiter == nil, "Two tasks read from one session.")
                    if !state.isRaised { state.waiter = continuation }
                    return state.isRaised
                }
                if isRaised { continuation.resume() }
            }
        } onCancel: {
            self.raise()
        }
    }

    private func raise(at deadline: ContinuousClock.Instant) async {
        do {
            try await Task.sleep(until: deadline, clock: .continuous)
            self.raise()
        } catch {
            // Cancelled: the wait is over.
        }
    }
}
