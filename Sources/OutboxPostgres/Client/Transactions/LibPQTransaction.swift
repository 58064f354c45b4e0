internal import Synchronization

/// A transaction that ``LibPQConnection/withTransaction(isolation:readOnly:_:)`` or the same call of a pool lends to its closure.
public struct LibPQTransaction: ~Copyable, Sendable {
    /// The connection. What is sent to it directly is part of this transaction too.
    package let connection: LibPQConnection
    private let id: Int
    private var isEnded = false

    init(connection: LibPQConnection, id: Int) {
        self.connection = connection
        self.id = id
    }

    deinit {
        if !isEnded { connection.abandonedTransaction.store(id, ordering: .releasing) }
    }

    /// Commits. Not interrupted by cancellation, which would leave open what has become of it.
    ///
    /// - Throws: ``LibPQError/Code/transactionState`` if a statement had failed, so that the server rolled back instead;
    ///   ``LibPQError/Code/server`` if the server refused to commit and rolled back; ``LibPQError/Code/connectionLost``, in which case
    ///   ``LibPQError/isOutcomeUnknown`` says whether it may have been committed.
    package consuming func commit() async throws(LibPQError) {
        isEnded = true
        try await connection.commit(id)
    }

    /// Rolls back. Not interrupted by cancellation.
    ///
    /// - Throws: ``LibPQError/Code/connectionLost``; the server rolls back by itself then.
    package consuming func rollback() async throws(LibPQError) {
        isEnded = true
        try await connection.rollback(id)
    }
}

// MARK: Statements

extension LibPQTransaction {
    /// Runs a statement; see ``LibPQConnection/query(_:)``. After a failure, the transaction can only be rolled back, or back to a savepoint.
    @discardableResult
    public func query(_ statement: LibPQStatement) async throws(LibPQError) -> LibPQResult {
        try await connection.query(statement)
    }

    /// Runs several statements in one round trip; see ``LibPQConnection/pipeline(_:)``.
    package func pipeline(_ statements: [LibPQStatement]) async throws(LibPQError) -> [LibPQResult] {
        try await connection.pipeline(statements)
    }

    /// Runs a script; see ``LibPQConnection/execute(script:)``.
    public func execute(script: String) async throws(LibPQError) {
        try await connection.execute(script: script)
    }

    /// Runs a `COPY … FROM STDIN`; see ``LibPQConnection/copyIn(_:from:)``.
    @discardableResult
    package func copyIn<Chunks: AsyncSequence>(
        _ statement: String, from chunks: Chunks
    ) async throws -> Int where Chunks.Element == [UInt8] {
        try await connection.copyIn(statement, from: chunks)
    }

    /// Runs a `COPY … FROM STDIN`; see ``LibPQConnection/copyIn(_:write:)``.
    @discardableResult
    package func copyIn(_ statement: String, write: (CopyWriter) async throws -> Void) async throws -> Int {
        try await connection.copyIn(statement, write: write)
    }

    /// Runs `body` under a savepoint. If it throws, what was done since is undone, the transaction goes on, and the error is thrown.
    ///
    /// - Throws: what `body` throws; a ``LibPQTransactionError`` if undoing failed as well; a ``LibPQError`` if the savepoint could not be
    ///   set or released.
    @discardableResult
    package func withSavepoint<R>(_ body: (borrowing LibPQTransaction) async throws -> R) async throws -> R {
        let name = "outbox_savepoint_\(connection.lastSavepoint.add(1, ordering: .relaxed).newValue)"
        try await connection.query("SAVEPOINT \(unescaped: name)")
        do {
            let result = try await body(self)
            try await connection.query("RELEASE SAVEPOINT \(unescaped: name)")
            return result
        } catch {
            let bodyError = error
            do throws(LibPQError) {
                try await connection.rollBack(toSavepoint: name)
            } catch {
                throw LibPQTransactionError(bodyError: bodyError, rollbackError: error)
            }
            throw bodyError
        }
    }
}
