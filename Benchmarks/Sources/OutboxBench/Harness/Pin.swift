import OutboxPostgres

/// A transaction that nobody ends: vacuum keeps what was deleted since it began, in its database.
enum Pin {
    /// Runs `body` while the transaction is open.
    static func with<Result>(_ server: BenchServer, _ body: () async throws -> Result) async throws -> Result {
        let connection = try await server.connect()
        return try await withCleanUp {
            // With a number, so that it is also in every snapshot.
            try await connection.execute(
                script: "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()")
            return try await body()
        } cleanUp: {
            await connection.close()
        }
    }
}
