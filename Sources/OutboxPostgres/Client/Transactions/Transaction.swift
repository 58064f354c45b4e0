internal import Synchronization

/// A transaction on a connection, ended by ``commit()`` or ``rollback()``.
///
/// If it is dropped without either, the connection rolls it back before its next use.
public struct Transaction: ~Copyable, Sendable {
    /// The connection. What is sent to it directly is part of this transaction too.
    package let connection: Connection
    private let id: Int
    private var isEnded = false

    init(connection: Connection, id: Int) {
        self.connection = connection
        self.id = id
    }

    deinit {
        if !isEnded { connection.abandonedTransaction.store(id, ordering: .releasing) }
    }

    /// Commits. Not interrupted by cancellation, which would leave open what has become of it.
    ///
    /// - Throws: ``PostgresError/Code/transactionState`` if a statement had failed, so that the server rolled back instead;
    ///   ``PostgresError/Code/server`` if the server refused to commit and rolled back; ``PostgresError/Code/connectionLost``, in which case
    ///   ``PostgresError/isOutcomeUnknown`` says whether it may have been committed.
    public consuming func commit() async throws(PostgresError) {
        isEnded = true
        try await connection.commit(id)
    }

    /// Rolls back. Not interrupted by cancellation.
    ///
    /// - Throws: ``PostgresError/Code/connectionLost``; the server rolls back by itself then.
    public consuming func rollback() async throws(PostgresError) {
        isEnded = true
        try await connection.rollback(id)
    }
}

// MARK: Statements

extension Transaction {
    /// Runs a statement; see ``Connection/query(_:)``. After a failure, the transaction can only be rolled back, or back to a savepoint.
    @discardableResult
    public func query(_ statement: SQLStatement) async throws(PostgresError) -> QueryResult {
        try await connection.query(statement)
    }

    /// Runs several statements in one round trip; see ``Connection/pipeline(_:)``.
    public func pipeline(_ statements: [SQLStatement]) async throws(PostgresError) -> [QueryResult] {
        try await connection.pipeline(statements)
    }

    /// Runs a script; see ``Connection/execute(script:)``.
    public func execute(script: String) async throws(PostgresError) {
        try await connection.execute(script: script)
    }

    /// Runs a `COPY … FROM STDIN`; see ``Connection/copyIn(_:from:)``.
    @discardableResult
    public func copyIn<Chunks: AsyncSequence>(
        _ statement: String, from chunks: Chunks
    ) async throws -> Int where Chunks.Element == [UInt8] {
        try await connection.copyIn(statement, from: chunks)
    }

    /// Runs a `COPY … FROM STDIN`; see ``Connection/copyIn(_:write:)``.
    @discardableResult
    public func copyIn(_ statement: String, write: (CopyWriter) async throws -> Void) async throws -> Int {
        try await connection.copyIn(statement, write: write)
    }

    /// Runs `body` under a savepoint. If it throws, what was done since is undone, the transaction goes on, and the error is thrown.
    ///
    /// - Throws: what `body` throws; a ``TransactionError`` if undoing failed as well; a ``PostgresError`` if the savepoint could not be
    ///   set or released.
    @discardableResult
    public func withSavepoint<R>(_ body: (borrowing Transaction) async throws -> R) async throws -> R {
        let name = "outbox_savepoint_\(connection.lastSavepoint.add(1, ordering: .relaxed).newValue)"
        try await connection.query("SAVEPOINT \(unescaped: name)")
        do {
            let result = try await body(self)
            try await connection.query("RELEASE SAVEPOINT \(unescaped: name)")
            return result
        } catch {
            let bodyError = error
            do throws(PostgresError) {
                try await connection.rollBack(toSavepoint: name)
            } catch {
                throw TransactionError(bodyError: bodyError, rollbackError: error)
            }
            throw bodyError
        }
    }
}
