import OutboxSQL

extension OutboxSchema {
    /// Runs `body` in a transaction, once it is clear that the schema is one that this program knows.
    ///
    /// - Parameter task: What for, in the words of an error: "inspect".
    func inTransaction<Result>(
        on connection: Connection, isolation: IsolationLevel = .readCommitted, readOnly: Bool, task: String,
        _ body: (borrowing Transaction) async throws -> Result
    ) async throws -> Result {
        do {
            return try await connection.withTransaction(isolation: isolation, readOnly: readOnly) { transaction in
                try await self.checkVersion(transaction)
                return try await body(transaction)
            }
        } catch {
            throw OutboxError.explaining(error, schema: self, task: task)
        }
    }

    /// Makes sure that the schema is one that this program knows.
    func checkVersion(on connection: Connection) async throws {
        try await self.inTransaction(on: connection, readOnly: true, task: "inspect") { _ in }
    }

    private func checkVersion(_ transaction: borrowing Transaction) async throws {
        let version: Int
        do {
            version = try await transaction.query(SQLStatement(self.inspectionStatements.version))[0].decode(0)
        } catch {
            throw OutboxError.explainingUse(error, schema: self, task: "inspect")
        }
        let known = OutboxSchema.currentVersion
        if version == 0 { throw OutboxError.missing(self) }
        if version < known { throw OutboxError.outdated(self, version: version) }
        if version > known { throw OutboxError.newer(self, version: version, known: known) }
    }
}
