public import Outbox

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

// What is in the outbox, for a test to look at, and what an operator would do with it.
extension InMemoryOutbox {
    /// A committed message that a subscription has neither settled nor deferred.
    public struct Pending: Sendable, Hashable, Identifiable {
        /// The message's id.
        public let id: Int64
        /// When its transaction began.
        public let createdAt: Date
        /// What was enqueued.
        public let message: NewMessage
    }

    /// A message that waits for a later attempt.
    public struct Deferred: Sendable, Hashable, Identifiable {
        /// The message's id.
        public let id: Int64
        /// What was enqueued.
        public let message: NewMessage
        /// How often delivery has been tried.
        public let attempts: Int
        /// When it is tried next; nil: when the earlier deferred messages of its key are settled.
        public let nextAttemptAt: Date?
        /// Whether later messages of its key wait for it.
        public let isOrdered: Bool
        /// What the last attempt failed with.
        public let error: String?
    }

    /// A message that is not tried again unless it is replayed.
    public struct DeadLetter: Sendable, Hashable, Identifiable {
        /// The message's id.
        public let id: Int64
        /// What was enqueued.
        public let message: NewMessage
        /// How often delivery has been tried.
        public let attempts: Int
        /// Why it is not tried again.
        public let reason: Death.Reason
        /// What the last attempt failed with.
        public let error: String?
        /// When it became a dead letter.
        public let diedAt: Date
    }

    /// What a subscription has still to deliver for the first time, by id. Messages that are being delivered are among
    /// them until the relay has committed.
    public func pending(subscription: String = "main") -> [Pending] {
        self.look { state in state.unsettled(of: subscription) }.map { message in
            Pending(id: message.id, createdAt: message.createdAt.date, message: message.content)
        }
    }

    /// A subscription's deferred messages, by id.
    public func deferred(subscription: String = "main") -> [Deferred] {
        let rows = self.look { state in state.contents(of: subscription).flatMap(\.deferred.rows.values) }
        return rows.sorted { $0.id < $1.id }.map { row in
            Deferred(
                id: row.id, message: row.message.content, attempts: row.attempts, nextAttemptAt: row.due?.date,
                isOrdered: row.isOrdered, error: row.error)
        }
    }

    /// A subscription's dead letters, by id.
    public func deadLetters(subscription: String = "main") -> [DeadLetter] {
        let rows = self.look { state in state.contents(of: subscription).flatMap(\.dead.values) }
        return rows.sorted { $0.message.id < $1.message.id }.map { row in
            DeadLetter(
                id: row.message.id, message: row.message.content, attempts: row.attempts, reason: row.reason,
                error: row.error, diedAt: row.diedAt.date)
        }
    }

    /// Has a dead letter delivered again, as a deferred message that is due now and was never tried.
    ///
    /// - Returns: Whether there was one of that id.
    @discardableResult
    public func replay(deadLetter id: Int64, subscription: String = "main") -> Bool {
        let now = self.now
        return self.change(subscription) { stream in
            guard let row = stream.dead.removeValue(forKey: id) else { return false }
            stream.deferred.insert(
                DeferredQueue.Row(message: row.message, attempts: 0, due: now, isOrdered: false, error: nil))
            return true
        }
    }

    /// Forgets a dead letter.
    ///
    /// - Returns: Whether there was one of that id.
    @discardableResult
    public func discard(deadLetter id: Int64, subscription: String = "main") -> Bool {
        self.change(subscription) { stream in stream.dead.removeValue(forKey: id) != nil }
    }

    /// Forgets a deferred message. Those that waited for it are delivered.
    ///
    /// - Returns: Whether there was one of that id.
    @discardableResult
    package func discard(deferred id: Int64, subscription: String = "main") -> Bool {
        self.change(subscription) { stream in stream.deferred.remove(id) != nil }
    }

    /// Makes deferred messages due now, whatever the clock says. Those that wait behind others of their key go on
    /// waiting for them.
    package func makeDeferredDue(subscription: String = "main") {
        let now = self.now
        _ = self.change(subscription) { stream in
            stream.deferred.makeDue(now: now)
            return true
        }
    }

    private func look<Result: Sendable>(_ body: (InMemoryState) -> Result) -> Result {
        self.withState { state, _ in body(state) }
    }
}
