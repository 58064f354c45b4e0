public import Logging
public import ServiceLifecycle
internal import Synchronization

/// Connections to one server, opened when they are needed and reused.
///
/// Callers who find all connections in use wait in the order in which they came. ``run()`` is not needed for the pool to work; it closes
/// it when the application shuts down.
public final class ConnectionPool: Service {
    private typealias Waiter = CheckedContinuation<PoolGrant<Connection>, Never>

    private let configuration: ConnectionConfiguration
    private let logger: Logger
    private let loop: SocketLoop
    private let state: Mutex<PoolState<Connection, Waiter>>
    private let lastID = Atomic<Int>(0)

    /// - Parameters:
    ///   - configuration: where the server is and how to log in.
    ///   - maximumConnections: how many connections may be open at a time, at least 1.
    ///   - logger: gets the server's notices, at debug.
    ///   - loop: the thread for the connections.
    public init(
        _ configuration: ConnectionConfiguration, maximumConnections: Int = 10,
        logger: Logger = Logger(label: "outbox.postgres"), loop: SocketLoop = .shared
    ) {
        precondition(maximumConnections >= 1, "a pool needs at least one connection")
        self.configuration = configuration
        self.logger = logger
        self.loop = loop
        state = Mutex(PoolState(maximum: maximumConnections))
    }

    /// Lends a connection to `body`, which runs where the caller runs.
    ///
    /// Afterwards the connection goes to the next one who waits, or is kept. A transaction that `body` left open is rolled back. What
    /// else `body` changed in the session (`SET`, `LISTEN`, temporary tables) stays. A connection that was lost is replaced.
    ///
    /// - Throws: what `body` throws; ``PostgresError/Code/poolClosed``; ``PostgresError/Code/cancelled`` if the task was cancelled while
    ///   it waited; what ``Connection/connect(_:logger:loop:)`` throws.
    @discardableResult
    public func withConnection<R>(_ body: (Connection) async throws -> R) async throws -> R {
        let connection = try await lease()
        let result: R
        do {
            result = try await body(connection)
        } catch {
            await giveBack(connection)
            throw error
        }
        await giveBack(connection)
        return result
    }

    /// Runs `body` in a transaction on a connection of the pool; see ``Connection/withTransaction(isolation:readOnly:_:)``.
    @discardableResult
    public func withTransaction<R>(
        isolation: IsolationLevel = .readCommitted, readOnly: Bool = false,
        _ body: (borrowing Transaction) async throws -> R
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

    /// Closes the connections that are not in use, and the others as they come back. Whoever waits for one, and whoever asks from now
    /// on, gets ``PostgresError/Code/poolClosed``.
    public func close() async {
        let (idle, waiters) = state.withLock { $0.close() }
        for waiter in waiters { waiter.resume(returning: .closed) }
        for connection in idle { await connection.close() }
    }

    // MARK: Leases

    private func lease() async throws(PostgresError) -> Connection {
        if Task.isCancelled { throw Self.cancelled }
        switch await request() {
        case .lease(let connection):
            if await connection.isUsable { return connection }
            return try await connect()
        case .connect: return try await connect()
        case .closed: throw Self.closed
        case .cancelled: throw Self.cancelled
        }
    }

    private func request() async -> PoolGrant<Connection> {
        if let grant = state.withLock({ $0.requestNow() }) { return grant }
        let id = lastID.add(1, ordering: .relaxed).newValue
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if case .granted(let grant) = state.withLock({ $0.request(id, continuation) }) {
                    continuation.resume(returning: grant)
                } else if Task.isCancelled {
                    // The handler may have come too early to find anybody.
                    cancel(id)
                }
            }
        } onCancel: {
            cancel(id)
        }
    }

    private func cancel(_ id: Int) {
        state.withLock { $0.cancel(id) }?.resume(returning: .cancelled)
    }

    /// Opens a connection in a slot that has been granted.
    private func connect() async throws(PostgresError) -> Connection {
        let connection: Connection
        do throws(PostgresError) {
            connection = try await Connection.connect(configuration, logger: logger, loop: loop)
        } catch {
            await perform(state.withLock { $0.giveUpSlot() })
            throw error
        }
        guard state.withLock({ $0.connected() }) else {
            await connection.close()
            await perform(state.withLock { $0.giveUpSlot() })
            throw Self.closed
        }
        return connection
    }

    private func giveBack(_ connection: Connection) async {
        if await connection.makeReusable() {
            await perform(state.withLock { $0.giveBack(connection) })
        } else {
            await connection.close()
            await perform(state.withLock { $0.giveUpSlot() })
        }
    }

    private func perform(_ action: PoolState<Connection, Waiter>.Return) async {
        if let (waiter, grant) = action.resume { waiter.resume(returning: grant) }
        await action.close?.close()
    }

    private static var closed: PostgresError { PostgresError(.poolClosed, "the connection pool has been closed") }
    private static var cancelled: PostgresError {
        PostgresError(.cancelled, "the task was cancelled while it waited for a connection")
    }
}

extension Connection {
    /// Ends what the last user has left open.
    ///
    /// - Returns: `false` if the connection is lost, or still in use by somebody who should not have kept it.
    func makeReusable() async -> Bool {
        guard loss == nil, !turn.isTaken else { return false }
        if transactionStatus == .idle, abandonedTransaction.load(ordering: .acquiring) == 0 { return true }
        do throws(PostgresError) {
            try await withTurn(isShielded: true) { () async throws(PostgresError) in
                currentTransaction = nil
                if transactionStatus != .idle { _ = try await run(["ROLLBACK"], isPipeline: false) }
            }
            return transactionStatus == .idle
        } catch {
            return false
        }
    }
}
