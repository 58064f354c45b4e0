public import Outbox
import Synchronization

/// A transaction of an ``InMemoryOutbox``.
public final class InMemoryTransaction: Sendable {
    private let outbox: InMemoryOutbox
    private let startedAt: Timestamp
    /// Nil: the transaction has ended.
    private let messages = Mutex<[StoredMessage]?>([])

    init(outbox: InMemoryOutbox, startedAt: Timestamp) {
        self.outbox = outbox
        self.startedAt = startedAt
    }

    /// Enqueues a message that becomes visible when the transaction commits.
    ///
    /// - Returns: Its id, which is drawn now.
    /// - Throws: ``InvalidMessage``, after which the transaction can go on; ``RelayStoreError`` if it has ended.
    @discardableResult
    public func enqueue(_ message: NewMessage) throws -> Int64 {
        let message = message.withTraceContext
        try message.validate()
        return try self.messages.withLock { messages in
            guard messages != nil else {
                throw RelayStoreError("The transaction has ended.", isRetriable: false)
            }
            let id = self.outbox.drawID()
            messages?.append(StoredMessage(id: id, content: message, createdAt: self.startedAt))
            return id
        }
    }

    /// Makes what was enqueued visible, all at once. Does nothing if the transaction has ended.
    public func commit() {
        let messages = self.messages.withLock { messages in
            defer { messages = nil }
            return messages
        }
        if let messages { self.outbox.commit(messages) }
    }

    /// Forgets what was enqueued. Its ids are not used again. Does nothing if the transaction has ended.
    public func rollback() {
        self.messages.withLock { $0 = nil }
    }
}
