internal import Synchronization

extension LibPQConnection {
    /// Runs `body` in a transaction, which is committed when it returns and rolled back when it throws.
    ///
    /// `body` runs where the caller runs. A cancelled task rolls back and commits all the same.
    ///
    /// - Throws: what `body` throws, if the rollback worked; otherwise a ``LibPQTransactionError``, which tells beginning, body, rollback and
    ///   commit apart.
    @discardableResult
    public nonisolated func withTransaction<R>(
        isolation: LibPQIsolationLevel = .readCommitted, readOnly: Bool = false,
        _ body: (borrowing LibPQTransaction) async throws -> R
    ) async throws -> R {
        let transaction: LibPQTransaction
        do throws(LibPQError) {
            transaction = try await begin(isolation: isolation, readOnly: readOnly)
        } catch {
            throw LibPQTransactionError(beginError: error)
        }
        let result: R
        do {
            result = try await body(transaction)
        } catch {
            let bodyError = error
            do throws(LibPQError) {
                try await transaction.rollback()
            } catch {
                throw LibPQTransactionError(bodyError: bodyError, rollbackError: error)
            }
            throw bodyError
        }
        do throws(LibPQError) {
            try await transaction.commit()
        } catch {
            throw LibPQTransactionError(commitError: error)
        }
        return result
    }

    /// Begins a transaction.
    ///
    /// Until it has ended, everything that is sent to this connection is part of it, from any task.
    ///
    /// - Throws: ``LibPQError/Code/transactionState`` if the connection is in a transaction already; otherwise as ``query(_:)``.
    package func begin(
        isolation: LibPQIsolationLevel = .readCommitted, readOnly: Bool = false
    ) async throws(LibPQError) -> LibPQTransaction {
        let access = readOnly ? " READ ONLY" : ""
        let id = try await withTurn { () async throws(LibPQError) in
            guard transactionStatus == .idle else {
                throw LibPQError(
                    .transactionState, "the connection is in a transaction already; nest with withSavepoint")
            }
            let begin: LibPQStatement = "BEGIN ISOLATION LEVEL \(unescaped: isolation.rawValue + access)"
            let id = nextID()
            do throws(LibPQError) {
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
        return LibPQTransaction(connection: self, id: id)
    }

    func commit(_ id: Int) async throws(LibPQError) {
        defer { transactionEnded(id) }
        try await withTurn(isShielded: true) { () async throws(LibPQError) in
            // From here on it is sent, and may be carried out.
            do throws(LibPQError) {
                _ = try await run(["COMMIT"], isPipeline: false)
            } catch {
                guard error.code == .connectionLost else { throw error }
                throw LibPQError(
                    .connectionLost,
                    "the connection was lost before COMMIT was answered: whether it was carried out is not known",
                    server: error.storage.server, underlying: error, isSilence: error.isSilence, isOutcomeUnknown: true)
            }
        }
    }

    func rollback(_ id: Int) async throws(LibPQError) {
        defer { transactionEnded(id) }
        try await query("ROLLBACK", isShielded: true)
    }

    /// If the end was not sent, or not accepted, the next user of the connection has to roll back first.
    private func transactionEnded(_ id: Int) {
        guard currentTransaction == id else { return }
        if loss == nil, transactionStatus != .idle {
            abandonedTransaction.store(id, ordering: .releasing)
        } else {
            currentTransaction = nil
        }
        isInReadOnlyTransaction = false
    }

    func rollBack(toSavepoint name: String) async throws(LibPQError) {
        try await withTurn(isShielded: true) { () async throws(LibPQError) in
            _ = try await run(
                ["ROLLBACK TO SAVEPOINT \(unescaped: name)", "RELEASE SAVEPOINT \(unescaped: name)"], isPipeline: true)
        }
    }
}
