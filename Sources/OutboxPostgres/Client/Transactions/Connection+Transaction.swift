internal import Synchronization

extension Connection {
    /// Runs `body` in a transaction, which is committed when it returns and rolled back when it throws.
    ///
    /// `body` runs where the caller runs. A cancelled task rolls back and commits all the same.
    ///
    /// - Throws: what `body` throws, if the rollback worked; otherwise a ``TransactionError``, which tells beginning, body, rollback and
    ///   commit apart.
    @discardableResult
    public nonisolated func withTransaction<R>(
        isolation: IsolationLevel = .readCommitted, readOnly: Bool = false,
        _ body: (borrowing Transaction) async throws -> R
    ) async throws -> R {
        let transaction: Transaction
        do throws(PostgresError) {
            transaction = try await begin(isolation: isolation, readOnly: readOnly)
        } catch {
            throw TransactionError(beginError: error)
        }
        let result: R
        do {
            result = try await body(transaction)
        } catch {
            let bodyError = error
            do throws(PostgresError) {
                try await transaction.rollback()
            } catch {
                throw TransactionError(bodyError: bodyError, rollbackError: error)
            }
            throw bodyError
        }
        do throws(PostgresError) {
            try await transaction.commit()
        } catch {
            throw TransactionError(commitError: error)
        }
        return result
    }

    /// Begins a transaction.
    ///
    /// Until it has ended, everything that is sent to this connection is part of it, whoever sends it.
    ///
    /// - Throws: ``PostgresError/Code/transactionState`` if the connection is in a transaction already; otherwise as ``query(_:)``.
    public func begin(
        isolation: IsolationLevel = .readCommitted, readOnly: Bool = false
    ) async throws(PostgresError) -> Transaction {
        let access = readOnly ? " READ ONLY" : ""
        let id = try await withTurn { () async throws(PostgresError) in
            guard transactionStatus == .idle else {
                throw PostgresError(
                    .transactionState, "the connection is in a transaction already; nest with withSavepoint")
            }
            let begin: SQLStatement = "BEGIN ISOLATION LEVEL \(unescaped: isolation.rawValue + access)"
            let id = nextID()
            do throws(PostgresError) {
                _ = try await run([begin], isPipeline: false)
            } catch {
                if loss == nil, transactionStatus != .idle {
                    currentTransaction = id
                    abandonedTransaction.store(id, ordering: .releasing)
                }
                throw error
            }
            currentTransaction = id
            isInReadOnlyTransaction = readOnly
            return id
        }
        return Transaction(connection: self, id: id)
    }

    func commit(_ id: Int) async throws(PostgresError) {
        defer { transactionEnded(id) }
        try await withTurn(isShielded: true) { () async throws(PostgresError) in
            // From here on it is sent, and may be carried out.
            do throws(PostgresError) {
                _ = try await run(["COMMIT"], isPipeline: false)
            } catch {
                guard error.code == .connectionLost else { throw error }
                throw PostgresError(
                    .connectionLost,
                    "the connection was lost before COMMIT was answered: whether it was carried out is not known",
                    server: error.storage.server, underlying: error, isSilence: error.isSilence, isOutcomeUnknown: true)
            }
        }
    }

    func rollback(_ id: Int) async throws(PostgresError) {
        defer { transactionEnded(id) }
        try await query("ROLLBACK", isShielded: true)
    }

    /// If the end was not sent, or not accepted, somebody has to make it up.
    private func transactionEnded(_ id: Int) {
        guard currentTransaction == id else { return }
        if loss == nil, transactionStatus != .idle {
            abandonedTransaction.store(id, ordering: .releasing)
        } else {
            currentTransaction = nil
        }
        isInReadOnlyTransaction = false
    }

    func rollBack(toSavepoint name: String) async throws(PostgresError) {
        try await withTurn(isShielded: true) { () async throws(PostgresError) in
            _ = try await run(
                ["ROLLBACK TO SAVEPOINT \(unescaped: name)", "RELEASE SAVEPOINT \(unescaped: name)"], isPipeline: true)
        }
    }
}
