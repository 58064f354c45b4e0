import Outbox
import OutboxRuntime
import OutboxSQL

extension PostgresOutbox {
    /// Removes the idempotency keys whose window is over, the oldest first. Enqueueing does not depend on it: a key whose
    /// window is over counts as gone. It keeps their table from growing.
    ///
    /// - Parameters:
    ///   - batch: How many rows to remove in a transaction. Default 1000.
    ///   - connection: A connection that is not in a transaction, of the owner or of a role with the grants of a relay; see
    ///     ``OutboxSchema/grants(producer:relay:monitor:)``.
    /// - Returns: How many were removed.
    /// - Throws: ``OutboxError`` with ``OutboxError/Code/schemaMissing`` or ``OutboxError/Code/privilege``;
    ///   ``LibPQError``. The batches before it have been removed.
    @discardableResult
    public func expireIdempotencyKeys(batch: Int = 1000, on connection: LibPQConnection) async throws -> Int {
        let batch = max(batch, 1)
        var total = 0
        do {
            while true {
                let statement = LibPQStatement(self.statements.expireIdempotencyKeys, [.int8(Int64(batch))])
                let removed = try await connection.query(statement).affectedRows
                total += removed
                if removed < batch { return total }
            }
        } catch {
            throw OutboxError.explainingUse(error, schema: self.schema, task: "remove idempotency keys from")
        }
    }

    /// The window as the statements take it. As a text: other clients have that, and need no interval.
    var idempotencyInterval: LibPQValue {
        // More than that after now Postgres has no time.
        let longest = 1000 * 365.25 * 24 * 60 * 60
        let seconds = min(max(self.idempotencyWindow.seconds, 0), longest)
        // In parts: PostgreSQL 14 takes no number above 2,147,483,647 in an interval.
        let microseconds = Int64(seconds * 1_000_000)
        let minute: Int64 = 60_000_000
        return .text("\(microseconds / minute) minutes \(microseconds % minute) microseconds")
    }
}
