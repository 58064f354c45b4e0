package import Outbox
import OutboxSQL

/// Where inside a destination messages go.
extension OutboxInspector {
    /// Which routes a destination's last messages have, the most frequent first.
    ///
    /// The role needs to read the log, as a relay does.
    ///
    /// - Parameters:
    ///   - destination: Whose.
    ///   - count: How many messages to look at. Default 1000.
    ///   - limit: How many routes at most. Default 20.
    ///   - connection: A connection that is not in a transaction.
    /// - Throws: As ``status(subscription:since:countLimit:on:)``.
    package func routes(
        of destination: Destination, count: Int = 1000, limit: Int = 20, on connection: LibPQConnection
    ) async throws -> [RouteCount] {
        try await self.inTransaction(on: connection, readOnly: true) { transaction in
            let binds: [LibPQValue] = [.text(destination.name), .int8(Int64(count)), .int8(Int64(limit))]
            // An index serves it, whatever the statistics say.
            let results = try await transaction.pipeline([
                LibPQStatement(self.statements.configure), LibPQStatement(self.statements.routes, binds),
            ])
            return try results[1].map { row in try RouteCount(row) }
        }
    }
}
