public import Logging
public import Outbox
import OutboxRuntime
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
    /// How far the outbox is ahead of the system's clock, in microseconds.
    private let lead = Atomic<Int64>(0)
    /// Who is told when something has changed.
    private let watchers = Mutex<[ObjectIdentifier: Signal]>([:])
    let idempotencyWindow: Duration

    /// Creates an empty outbox.
    ///
    /// - Parameters:
    ///   - clock: The clock by which deferred messages become due and idempotency keys expire; nil: the system's.
    ///   - idempotencyWindow: For how long a message keeps others with its idempotency key out. Default a day.
    public init(clock: ManualClock? = nil, idempotencyWindow: Duration = .seconds(24 * 60 * 60)) {
        self.clock = clock
        self.idempotencyWindow = max(.zero, idempotencyWindow)
        clock?.observe { [weak self] in
            guard let self else { return false }
            _ = self.change(nil) { stream in !stream.deferred.rows.isEmpty }
            return true
        }
    }

    // MARK: - Enqueueing

    /// Enqueues a message.
    ///
    /// - Returns: Its id, or that of the first one with its idempotency key.
    /// - Throws: What is wrong with the message; or that a transaction that has not ended has enqueued one with its
    ///   idempotency key, where an outbox in Postgres waits for the end. Nothing is enqueued then.
    @discardableResult
    public func enqueue(_ message: NewMessage) throws(InvalidMessage) -> Int64 {
        try self.enqueue([message])[0]
    }

    /// Enqueues messages in one transaction.
    ///
    /// - Returns: Their ids, in the order of the messages.
    /// - Throws: As for a single message, for the first one that is refused. Nothing is enqueued then.
    @discardableResult
    public func enqueue(_ messages: [NewMessage]) throws(InvalidMessage) -> [Int64] {
        let messages = messages.map(\.withTraceContext)
        for message in messages { try message.validate() }
        let now = self.now
        let (ids, signals) = try self.state.withLock { state throws(InvalidMessage) in
            let transaction = state.begin()
            var ids: [Int64] = []
            var stored: [StoredMessage] = []
            do throws(InvalidMessage) {
                for message in messages {
                    let (id, isFirst) = try state.draw(
                        for: message, now: now, window: self.idempotencyWindow, transaction: transaction)
                    ids.append(id)
                    if isFirst { stored.append(StoredMessage(id: id, content: message, createdAt: now)) }
                }
            } catch {
                state.rollback(transaction)
                throw error
            }
            return (ids, state.commit(stored, transaction: transaction))
        }
        for signal in signals { signal.raise() }
        self.tellWatchers()
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
        InMemoryTransaction(outbox: self, number: self.state.withLock { $0.begin() }, startedAt: self.now)
    }

    func draw(
        for message: NewMessage, now: Timestamp, transaction: Int
    ) throws(InvalidMessage) -> (id: Int64, isFirst: Bool) {
        try self.state.withLock { state throws(InvalidMessage) in
            try state.draw(for: message, now: now, window: self.idempotencyWindow, transaction: transaction)
        }
    }

    func commit(_ messages: [StoredMessage], transaction: Int) {
        for signal in self.state.withLock({ $0.commit(messages, transaction: transaction) }) { signal.raise() }
        self.tellWatchers()
    }

    func rollback(_ transaction: Int) {
        self.state.withLock { $0.rollback(transaction) }
    }

    // MARK: - Sessions

    /// Opens a session for a subscription.
    public func openSession(subscription: String, logger: Logger) async throws -> any RelaySession {
        let signal = Signal()
        let number = self.state.withLock { $0.openSession(subscription: subscription, signal: signal) }
        return InMemorySession(outbox: self, number: number, signal: signal)
    }

    /// Breaks all open sessions, as a restart of a server would: whatever they are asked from now on fails with a
    /// ``/Outbox/RelayError`` that is retriable, and what they had not committed is delivered again by the next session.
    public func disconnectSessions() {
        for signal in self.state.withLock({ $0.cutSessions() }) { signal.raise() }
    }

    /// Splits a stream of a destination in two, each with some of the slots. A relay at work goes on with both.
    package func split(_ destination: Destination, subscription: String = "main") {
        let signals = self.state.withLock { $0.split(destination, subscription: subscription) }
        for signal in signals { signal.raise() }
    }

    // MARK: - For sessions and inspection

    var now: Timestamp {
        self.clock?.timestamp ?? (Timestamp(Date()) + .microseconds(self.lead.load(ordering: .acquiring)))
    }

    /// Has time pass: advances the manual clock or, where there is none, goes on as if it had.
    func pass(_ time: Duration) {
        if let clock = self.clock { return clock.advance(by: time) }
        let (now, later) = (self.now, self.now + time)
        self.lead.add(max(0, later.microseconds - now.microseconds), ordering: .acquiringAndReleasing)
        _ = self.change(nil) { stream in !stream.deferred.rows.isEmpty }
    }

    /// Raises a signal whenever something has been enqueued, settled or changed.
    func watch(_ signal: Signal) -> ObjectIdentifier {
        self.watchers.withLock { $0[ObjectIdentifier(signal)] = signal }
        return ObjectIdentifier(signal)
    }

    func unwatch(_ watcher: ObjectIdentifier) {
        _ = self.watchers.withLock { $0.removeValue(forKey: watcher) }
    }

    func tellWatchers() {
        for signal in self.watchers.withLock({ Array($0.values) }) { signal.raise() }
    }

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
        if isChanged { self.tellWatchers() }
        return isChanged
    }
}
