import OutboxRuntime
import Synchronization

/// How a relay is asked to end, from any thread.
final class RelayControl: Sendable {
    private let stopping = Latch()
    private let deadline = Mutex<ContinuousClock.Instant?>(nil)

    /// Whether the relay has been asked to end.
    var isStopping: Bool { self.stopping.isOpen }

    /// Asks the relay to end.
    func stop() { self.stopping.open() }

    /// Returns when the relay has been asked to end, or the task is cancelled.
    func stopped() async { await self.stopping.wait() }

    /// When work in flight has to be finished, once the relay has been asked to end.
    func drainDeadline(now: ContinuousClock.Instant, allowed: Duration) -> ContinuousClock.Instant? {
        guard self.isStopping else { return nil }
        return self.deadline.withLock { deadline in
            let instant = deadline ?? now + allowed
            deadline = instant
            return instant
        }
    }
}
