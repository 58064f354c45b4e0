import Outbox
import OutboxRuntime

extension Latch {
    /// Waits until it is open.
    ///
    /// - Throws: `CancellationError`.
    func pass() async throws {
        await self.wait()
        try Task.checkCancellation()
    }
}
