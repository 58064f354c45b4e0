import OutboxSQL

extension OutboxSchema {
    /// Runs `body` in a transaction, once it is clear that the schema is one that this program works with. Names without a
    /// schema mean the server's own in it.
    ///
    /// - Parameter task: What for, in the words of an error: "inspect".
    func inTransaction<Result>(
        on connection: LibPQConnection, isolation: LibPQIsolationLevel = .readCommitted, readOnly: Bool, task: String,
        _ body: (borrowing LibPQTransaction) async throws -> Result
    ) async throws -> Result {
        do {
            return try await connection.withTransaction(isolation: isolation, readOnly: readOnly) { transaction in
                try await transaction.query(LibPQStatement(self.statements.fixSearchPath.text, [.bool(true)]))
                try await self.checkVersion(transaction)
                return try await body(transaction)
            }
        } catch {
            throw OutboxError.explaining(error, schema: self, task: task)
        }
    }

    /// Makes sure that the schema is one that this program works with.
    ///
    /// - Throws: ``OutboxError/Code/schemaMissing`` and those of ``SchemaVersion/check(_:program:)``.
    package func checkVersion(on connection: LibPQConnection) async throws {
        try await self.inTransaction(on: connection, readOnly: true, task: "inspect") { _ in }
    }

    private func checkVersion(_ transaction: borrowing LibPQTransaction) async throws {
        let version: SchemaVersion
        do {
            version = try SchemaVersion(
                try await transaction.query(LibPQStatement(self.inspectionStatements.version))[0])
        } catch {
            throw OutboxError.explainingUse(error, schema: self, task: "inspect")
        }
        try version.check(self)
    }
}
