import Logging
import Outbox

/// Finds out whether a session is its own, before anything is set in it.
///
/// A pooler in transaction mode gives the server's process to somebody else between two transactions: the relay's locks
/// would be theirs, and its settings too.
struct PoolerCheck {
    let connection: Connection
    let configuration: ConnectionConfiguration
    let logger: Logger

    /// - Throws: A ``RelayStoreError`` when the session is shared; what the client throws.
    func callAsFunction() async throws {
        let process = try await Self.process(of: self.connection)
        if process == self.connection.processID { return }
        // The process that was used last is the first that is given away. One whose session is its own is not.
        let other = try await self.processOfAnother()
        let after = try await Self.process(of: self.connection)
        if other == process || after != process {
            throw RelayStoreError(
                """
                A pooler in transaction mode is between the relay and Postgres. The relay needs a session of its own, also \
                when it only polls: connect directly, or through a pool in session mode.
                """, isRetriable: false)
        }
        self.logger.debug("A pooler is between the relay and Postgres, in session mode")
    }

    /// The process that another connection is given; nil: it was given none in time, for all are taken.
    private func processOfAnother() async throws -> Int32? {
        let second = try await Connection.connect(self.configuration, logger: self.logger)
        let process = try await withThrowingTaskGroup(of: Int32?.self) { group in
            group.addTask { try await Self.process(of: second) }
            group.addTask {
                try await Task.sleep(for: .seconds(2))
                await second.close()
                return nil
            }
            defer { group.cancelAll() }
            do {
                return try await group.next() ?? nil
            } catch is PostgresError {
                return nil
            }
        }
        await second.close()
        return process
    }

    private static func process(of connection: Connection) async throws -> Int32 {
        try await connection.query("SELECT pg_backend_pid()")[0].decode(0)
    }
}
