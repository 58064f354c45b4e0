import Outbox
import Synchronization

/// A batch whose outcomes a task waits for.
//
// Sendable because what is not synchronised is used by the transport's thread only.
final class DeliveryJob: @unchecked Sendable {
    private enum Waiting {
        case notYet
        case waiting(CheckedContinuation<[Outcome], any Error>)
        case over
    }

    let batch: MessageBatch
    private let waiting = Mutex(Waiting.notYet)

    // From here on: the transport's thread only.

    var schedule: BatchSchedule
    /// Whether it is in line for sending.
    var isInLine = false
    /// How many of its messages are to be sent one by one, because one of them may have closed a channel.
    var suspects = 0

    init(_ batch: MessageBatch, keyOrder: BatchSchedule.KeyOrder) {
        self.batch = batch
        self.schedule = BatchSchedule(batch, keyOrder: keyOrder)
    }

    /// - Returns: Whether it has begun; not if it was over before.
    func begin(_ continuation: CheckedContinuation<[Outcome], any Error>) -> Bool {
        let hasBegun = self.waiting.withLock { waiting in
            if case .over = waiting { return false }
            waiting = .waiting(continuation)
            return true
        }
        if !hasBegun { continuation.resume(throwing: CancellationError()) }
        return hasBegun
    }

    /// Whether no caller waits any more.
    var isOver: Bool {
        self.waiting.withLock { waiting in
            if case .over = waiting { true } else { false }
        }
    }

    /// Gives the outcomes to the waiting caller, unless that was done before.
    func end(_ result: Result<[Outcome], any Error>) {
        let continuation = self.waiting.withLock { waiting -> CheckedContinuation<[Outcome], any Error>? in
            defer { waiting = .over }
            if case .waiting(let continuation) = waiting { return continuation }
            return nil
        }
        continuation?.resume(with: result)
    }

    /// Gives all messages the same outcome; from any thread.
    func end(all outcome: Outcome) {
        self.end(.success(Array(repeating: outcome, count: self.batch.count)))
    }
}
