import Logging
import Outbox

/// Finds out whether a session is its own, before anything is set in it.
///
/// A pooler in transaction mode gives the server's process to another client between two transactions: that client would have the
/// relay's locks and settings.
struct PoolerCheck {
    let connection: LibPQConnection
    let configuration: LibPQConfiguration
    let logger: Logger

    /// A server process, and the number that it has given to a transaction: the next of the same session has the next.
    private struct Place: Equatable {
        let process: Int32
        let transaction: Int64
    }

    /// - Returns: Whether there is a pooler, in session mode.
    /// - Throws: ``/Outbox/RelayError/Code/pooler`` when the session is shared; what the client throws.
    @discardableResult
    func callAsFunction() async throws -> Bool {
        let first = try await self.place()
        if first.process == self.connection.processID { return false }
        // The process that was used last is the first that is given away.
        let other = try await self.processOfAnother()
        let isOwn = try await self.isUninterrupted(first.process)
        if other == first.process || !isOwn {
            throw RelayError(
                .pooler,
                """
                A pooler in transaction mode is between the relay and Postgres. The relay needs a session of its own, also \
                when it only polls: connect directly, or through a pool in session mode.
                """)
        }
        self.logger.debug("A pooler is between the relay and Postgres, in session mode")
        return true
    }

    /// Whether two transactions follow each other without another client's in between. Where all processes are taken, other clients
    /// come in between any two transactions of a shared session. A few tries: now and then a shared session has no other client.
    private func isUninterrupted(_ process: Int32) async throws -> Bool {
        var last = try await self.place()
        for _ in 0..<5 {
            let next = try await self.place()
            if last.process != process || next.process != process { return false }
            if next.transaction == last.transaction + 1 { return true }
            last = next
        }
        return false
    }

    private func place() async throws -> Place {
        let row = try await self.connection.query(
            """
            SELECT pid, pg_catalog.split_part(virtualtransaction, '/', 2)::pg_catalog.int8 FROM pg_catalog.pg_locks
            WHERE pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()
                AND locktype OPERATOR(pg_catalog.=) 'virtualxid'
            """)[0]
        return Place(process: try row.decode(0), transaction: try row.decode(1))
    }

    /// The process that another connection is given; nil: it was given none in time, for all are taken.
    private func processOfAnother() async throws -> Int32? {
        let second = try await LibPQConnection.connect(self.configuration, logger: self.logger)
        let process = try await withThrowingTaskGroup(of: Int32?.self) { group in
            group.addTask { try await second.query("SELECT pg_catalog.pg_backend_pid()")[0].decode(0, as: Int32.self) }
            group.addTask {
                try await Task.sleep(for: .seconds(2))
                await second.close()
                return nil
            }
            defer { group.cancelAll() }
            do {
                return try await group.next() ?? nil
            } catch is LibPQError {
                return nil
            }
        }
        await second.close()
        return process
    }
}
