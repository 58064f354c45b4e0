public import Outbox
import Synchronization

/// A transaction of an ``InMemoryOutbox``.
public final class InMemoryTransaction: Sendable {
    private let outbox: InMemoryOutbox
    private let number: Int
    private let startedAt: Timestamp
    /// Nil: the transaction has ended.
    private let messages = Mutex<[StoredMessage]?>([])

    init(outbox: InMemoryOutbox, number: Int, startedAt: Timestamp) {
        self.outbox = outbox
        self.number = number
        self.startedAt = startedAt
    }

    deinit {
        self.rollback()
    }

    /// Enqueues a message that becomes visible when the transaction commits.
    ///
    /// - Returns: Its id, which is drawn now, or that of the first message with its idempotency key.
    /// - Throws: ``/Outbox/InvalidMessage``, after which the transaction can go on: also if another transaction that has not ended
    ///   has enqueued a message with the idempotency key, where Postgres waits for its end. ``/Outbox/RelayError`` if this one
    ///   has ended.
    @discardableResult
    public func enqueue(_ message: NewMessage) throws -> Int64 {
        let message = message.withTraceContext
        try message.validate()
        return try self.messages.withLock { messages in
            guard messages != nil else {
                throw RelayError(.misuse, "The transaction has ended.")
            }
            let (id, isFirst) = try self.outbox.draw(for: message, now: self.startedAt, transaction: self.number)
            if isFirst { messages?.append(StoredMessage(id: id, content: message, createdAt: self.startedAt)) }
            return id
        }
    }

    /// Makes what was enqueued visible, all at once. Does nothing if the transaction has ended.
    public func commit() {
        let messages = self.messages.withLock { messages in
            defer { messages = nil }
            return messages
        }
        if let messages { self.outbox.commit(messages, transaction: self.number) }
    }

    /// Forgets what was enqueued. Its ids are not used again. Does nothing if the transaction has ended.
    public func rollback() {
        let hasEnded = self.messages.withLock { messages in
            defer { messages = nil }
            return messages == nil
        }
        if !hasEnded { self.outbox.rollback(self.number) }
    }
}
