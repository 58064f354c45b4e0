public import Logging
public import Outbox
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// An outbox in memory, for tests of applications that have no server.
///
/// A relay delivers from it as from the one in Postgres: both pass ``StoreConformance``.
///
/// ```swift
/// let outbox = InMemoryOutbox()
/// try outbox.enqueue(NewMessage(to: .eventBus, key: "42", text: "hello"))
/// let relay = Relay(store: outbox, routes: routes)
/// ```
///
/// With a ``ManualClock`` no test has to sleep until a retry is due. Messages are kept until the outbox is released,
/// so that a subscription that comes later gets all of them.
public final class InMemoryOutbox: RelayStore {
    private let state = Mutex(InMemoryState())
    private let clock: ManualClock?

    /// Creates an empty outbox.
    ///
    /// - Parameter clock: The clock by which deferred messages become due; nil: the system's.
    public init(clock: ManualClock? = nil) {
        self.clock = clock
        clock?.observe { [weak self] in
            guard let self else { return false }
            _ = self.change(nil) { stream in !stream.deferred.rows.isEmpty }
            return true
        }
    }

    // MARK: - Enqueueing

    /// Enqueues a message.
    ///
    /// - Returns: Its id.
    /// - Throws: What is wrong with the message. Nothing is enqueued then.
    @discardableResult
    public func enqueue(_ message: NewMessage) throws(InvalidMessage) -> Int64 {
        try self.enqueue([message])[0]
    }

    /// Enqueues messages in one transaction.
    ///
    /// - Returns: Their ids, in the order of the messages.
    /// - Throws: What is wrong with the first invalid message. Nothing is enqueued then.
    @discardableResult
    public func enqueue(_ messages: [NewMessage]) throws(InvalidMessage) -> [Int64] {
        let messages = messages.map(\.withTraceContext)
        for message in messages { try message.validate() }
        let now = self.now
        let (ids, signals) = self.state.withLock { state in
            let stored = messages.map { StoredMessage(id: state.nextID(), content: $0, createdAt: now) }
            return (stored.map(\.id), state.commit(stored))
        }
        for signal in signals { signal.raise() }
        return ids
    }

    /// Runs a transaction: what it enqueues becomes visible all at once when `body` returns, and not at all when it
    /// throws.
    ///
    /// Ids are drawn when messages are enqueued. So a transaction that ends late commits ids lower than those that a
    /// relay has already delivered, as in Postgres; they are delivered too.
    ///
    /// - Throws: What `body` throws.
    public func withTransaction<Result>(
        _ body: (InMemoryTransaction) async throws -> Result
    ) async rethrows -> Result {
        let transaction = self.begin()
        do {
            let result = try await body(transaction)
            transaction.commit()
            return result
        } catch {
            transaction.rollback()
            throw error
        }
    }

    /// Begins a transaction that the caller ends. One that is released without having been committed is rolled back.
    ///
    /// For tests that need transactions to overlap; otherwise prefer ``withTransaction(_:)``.
    public func begin() -> InMemoryTransaction {
        InMemoryTransaction(outbox: self, startedAt: self.now)
    }

    func drawID() -> Int64 {
        self.state.withLock { $0.nextID() }
    }

    func commit(_ messages: [StoredMessage]) {
        for signal in self.state.withLock({ $0.commit(messages) }) { signal.raise() }
    }

    // MARK: - Sessions

    /// Opens a session for a subscription.
    public func openSession(subscription: String, logger: Logger) async throws -> any RelaySession {
        let signal = Signal()
        let number = self.state.withLock { $0.openSession(subscription: subscription, signal: signal) }
        return InMemorySession(outbox: self, number: number, signal: signal)
    }

    /// Breaks all open sessions, as a restart of a server would: whatever they are asked from now on fails with a
    /// ``RelayStoreError`` that is retriable, and what they had not committed is delivered again by the next session.
    public func disconnectSessions() {
        for signal in self.state.withLock({ $0.cutSessions() }) { signal.raise() }
    }

    // MARK: - For sessions and inspection

    var now: Timestamp { self.clock?.timestamp ?? Timestamp(Date()) }

    func withState<Result: Sendable, Failure: Error>(
        _ body: (inout InMemoryState, Timestamp) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let now = self.now
        return try self.state.withLock { state throws(Failure) in try body(&state, now) }
    }

    /// Changes deferred messages or dead letters and tells the sessions that own them.
    ///
    /// - Returns: Whether anything has changed.
    func change(_ subscription: String?, _ body: (inout InMemoryStream) -> Bool) -> Bool {
        let now = self.now
        let (isChanged, signals) = self.state.withLock { $0.change(subscription, now: now, body) }
        for signal in signals { signal.raise() }
        return isChanged
    }
}
