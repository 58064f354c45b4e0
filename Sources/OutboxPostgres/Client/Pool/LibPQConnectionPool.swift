public import Logging
internal import OutboxRuntime
public import ServiceLifecycle
internal import Synchronization

/// Connections to one server, opened when they are needed and reused.
///
/// Callers that find all connections in use wait in the order in which they came. ``run()`` is not needed for the pool to work; it closes
/// it when the application shuts down.
public final class LibPQConnectionPool: Service {
    private typealias Waiter = CheckedContinuation<PoolGrant<PooledConnection>, Never>

    /// A connection, and since when it is one of the pool's.
    private struct PooledConnection: Sendable {
        let connection: LibPQConnection
        let generation: Int
    }

    private let configuration: LibPQConfiguration
    private let logger: Logger
    private let leaseTimeout: Duration?
    private let state: Mutex<PoolState<PooledConnection, Waiter>>
    private let lastID = Atomic<Int>(0)

    /// - Parameters:
    ///   - configuration: where the server is and how to log in.
    ///   - maximumConnections: how many connections may be open at a time, at least 1.
    ///   - leaseTimeout: how long a caller waits for a connection to come free where all are in use. Default 30 seconds; `nil`: as long as it takes.
    ///   - logger: gets the server's notices, at debug.
    public init(
        _ configuration: LibPQConfiguration, maximumConnections: Int = 10, leaseTimeout: Duration? = .seconds(30),
        logger: Logger = Logger(label: "outbox.postgres")
    ) {
        precondition(maximumConnections >= 1, "a pool needs at least one connection")
        self.configuration = configuration
        self.leaseTimeout = leaseTimeout
        self.logger = logger
        state = Mutex(PoolState(maximum: maximumConnections))
    }

    /// Lends a connection to `body`, which runs where the caller runs.
    ///
    /// Afterwards the connection goes to the next caller that waits, or is kept. First it is made what a new one is: a transaction that `body`
    /// left open is rolled back, and after any statement but those that read and write rows or begin and end transactions (after `SET`,
    /// `SET ROLE`, `LISTEN`, `CREATE TEMPORARY TABLE`, `DO`, `CALL`, but not `SET LOCAL`) the session is reset with `DISCARD ALL`.
    /// What a function does that a `SELECT` calls is not noticed: end session-level advisory locks and undo `set_config(…, false)` yourself.
    ///
    /// A connection is replaced when it was lost, and when its session cannot do its work any more although the connection is there: a
    /// statement was refused because the session is read-only (25006: the server is a standby, or
    /// `default_transaction_read_only` is on) or the server is shutting down (57P01 and its like). The others that were open
    /// at that moment are not lent again either.
    ///
    /// - Throws: what `body` throws; ``LibPQError/Code/poolClosed``; ``LibPQError/Code/cancelled`` if the task was cancelled while
    ///   it waited; ``LibPQError/Code/timeout`` if no connection came free in time; what
    ///   ``LibPQConnection/connect(_:logger:)`` throws.
    @discardableResult
    public func withConnection<R>(_ body: (LibPQConnection) async throws -> R) async throws -> R {
        let lease = try await lease()
        let result: R
        do {
            result = try await body(lease.connection)
        } catch {
            await giveBack(lease)
            throw error
        }
        await giveBack(lease)
        return result
    }

    /// Runs `body` in a transaction on a connection of the pool; see ``LibPQConnection/withTransaction(isolation:readOnly:_:)``.
    @discardableResult
    public func withTransaction<R>(
        isolation: LibPQIsolationLevel = .readCommitted, readOnly: Bool = false,
        _ body: (borrowing LibPQTransaction) async throws -> R
    ) async throws -> R {
        try await withConnection { connection in
            try await connection.withTransaction(isolation: isolation, readOnly: readOnly, body)
        }
    }

    /// Waits until the application shuts down or the task is cancelled, then closes the pool.
    public func run() async throws {
        do {
            try await gracefulShutdown()
        } catch is CancellationError {
            // Cancelled or shut down, what remains to be done is the same.
        }
        await close()
    }

    /// Closes the connections that are not in use, and the others as they come back. Tasks that wait for a connection, or ask for one from now
    /// on, get ``LibPQError/Code/poolClosed``.
    public func close() async {
        let (idle, waiters) = state.withLock { $0.close() }
        for waiter in waiters { waiter.resume(returning: .closed) }
        for lease in idle { await lease.connection.close() }
    }

    // MARK: Leases

    private func lease() async throws(LibPQError) -> PooledConnection {
        if Task.isCancelled { throw Self.cancelled }
        switch await request() {
        case .lease(let lease):
            if await lease.connection.isUsable { return lease }
            await retireThoseLost(with: lease)
            return try await connect()
        case .connect: return try await connect()
        case .closed: throw Self.closed
        case .cancelled: throw Self.cancelled
        case .timedOut:
            throw LibPQError(
                .timeout,
                """
                no connection of the pool came free within \(leaseTimeout.map { "\($0)" } ?? "its limit"): all are in use, so use \
                each for less time, or raise maximumConnections
                """)
        }
    }

    private func request() async -> PoolGrant<PooledConnection> {
        if let grant = state.withLock({ $0.requestNow() }) { return grant }
        let id = lastID.add(1, ordering: .relaxed).newValue
        let limit = leaseTimeout.map { leaseTimeout in
            Task {
                // A task that is to sleep for much longer traps.
                try await Task.sleep(for: min(leaseTimeout, DurationText.longest))
                refuse(id, .timedOut)
            }
        }
        defer { limit?.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if case .granted(let grant) = state.withLock({ $0.request(id, continuation) }) {
                    continuation.resume(returning: grant)
                } else if Task.isCancelled {
                    // The handler may have come too early to find a waiter.
                    refuse(id, .cancelled)
                }
            }
        } onCancel: {
            refuse(id, .cancelled)
        }
    }

    private func refuse(_ id: Int, _ refusal: PoolGrant<PooledConnection>) {
        state.withLock { $0.cancel(id) }?.resume(returning: refusal)
    }

    /// Opens a connection in a slot that has been granted.
    private func connect() async throws(LibPQError) -> PooledConnection {
        let generation = state.withLock { $0.generation }
        let connection: LibPQConnection
        do throws(LibPQError) {
            connection = try await LibPQConnection.connect(configuration, logger: logger)
        } catch {
            await perform(state.withLock { $0.giveUpSlot() })
            throw error
        }
        guard state.withLock({ $0.connected() }) else {
            await connection.close()
            await perform(state.withLock { $0.giveUpSlot() })
            throw Self.closed
        }
        return PooledConnection(connection: connection, generation: generation)
    }

    private func giveBack(_ lease: PooledConnection) async {
        if await lease.connection.makeReusable() {
            await perform(state.withLock { $0.giveBack(lease, generation: lease.generation) })
        } else {
            await retireThoseLost(with: lease)
            await lease.connection.close()
            await perform(state.withLock { $0.giveUpSlot() })
        }
    }

    /// Closes the idle connections if what has befallen one concerns them too.
    private func retireThoseLost(with lease: PooledConnection) async {
        guard await lease.connection.concernsOthers else { return }
        for other in state.withLock({ $0.retire(generation: lease.generation) }) { await other.connection.close() }
    }

    private func perform(_ action: PoolState<PooledConnection, Waiter>.Return) async {
        if let (waiter, grant) = action.resume { waiter.resume(returning: grant) }
        await action.close?.connection.close()
    }

    private static var closed: LibPQError { LibPQError(.poolClosed, "the connection pool has been closed") }
    private static var cancelled: LibPQError {
        LibPQError(.cancelled, "the task was cancelled while it waited for a connection")
    }
}

extension LibPQConnection {
    /// Whether other connections to the same server have probably met with the same: it has fallen silent, or stopped taking writes.
    var concernsOthers: Bool { unfitness != nil || loss?.isSilence == true }

    /// Ends what the last user has left open, and undoes what it has changed in the session.
    ///
    /// - Returns: `false` if the connection is lost, cannot do its work any more, or is still in use by a task that should not have kept it.
    func makeReusable() async -> Bool {
        guard loss == nil, unfitness == nil, !turn.isTaken else { return false }
        let isAtRest = transactionStatus == .idle && abandonedTransaction.load(ordering: .acquiring) == 0
        if isAtRest, !hasChangedSession { return true }
        do throws(LibPQError) {
            try await withTurn(isShielded: true) { () async throws(LibPQError) in
                currentTransaction = nil
                if transactionStatus != .idle { _ = try await run(["ROLLBACK"], isPipeline: false) }
                if hasChangedSession { try await resetSession() }
            }
            try await prepareSession()
            return transactionStatus == .idle
        } catch {
            return false
        }
    }

    /// Makes the session what a new one is. Called with the turn.
    private func resetSession() async throws(LibPQError) {
        _ = try await run(["DISCARD ALL"], isPipeline: false)
        prepared = PreparedStatements()
        activity.endSubscriptions()
        hasChangedSession = false
    }
}
