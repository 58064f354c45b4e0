public import Outbox
import OutboxSQL

/// Pauses, resumes, rewinds, splits and merges streams, with or without a relay at work on them.
///
/// Each call is a transaction of its own, or some, on the connection it is given, whose role has the grants of a relay; see
/// ``OutboxSchema/grants(producer:relay:monitor:)``. How far streams are is in ``OutboxInspector/status(subscription:since:countLimit:on:)``.
/// What is thrown beside ``OutboxError`` is the client's: ``LibPQError`` or ``LibPQTransactionError``.
public struct OutboxStreams: Sendable {
    let schema: OutboxSchema
    let statements: Statements

    /// The streams of an outbox. Default: of the schema "outbox".
    public init(schema: OutboxSchema = OutboxSchema()) {
        self.schema = schema
        self.statements = schema.statements
    }

    /// Reads nothing more of a destination, of what waits for a later attempt neither. What a relay has read already, at most
    /// its window, is still delivered. A relay that listens is told at once, one that only polls with its next poll.
    ///
    /// - Parameters:
    ///   - destination: The destination.
    ///   - subscription: Whose stream. Default "main".
    ///   - connection: A connection that is not in a transaction.
    /// - Throws: ``OutboxError/Code/streamMissing``, ``OutboxError/Code/schemaMissing``,
    ///   ``OutboxError/Code/schemaTooOld``, ``OutboxError/Code/schemaTooNew``, ``OutboxError/Code/privilege``.
    public func pause(_ destination: Destination, subscription: String = "main", on connection: LibPQConnection)
        async throws
    {
        try await self.change(self.statements.pause, destination, subscription, "pause", connection)
    }

    /// Reads a destination again, from where it was paused.
    ///
    /// - Throws: As ``pause(_:subscription:on:)``.
    public func resume(_ destination: Destination, subscription: String = "main", on connection: LibPQConnection)
        async throws
    {
        try await self.change(self.statements.resume, destination, subscription, "resume", connection)
    }

    /// Makes messages come again, those that the log has kept: see ``SegmentPolicy/retention``. What has not been handled
    /// comes in any case; a stream that has not come as far stays where it is.
    ///
    /// A relay at work goes on from there; what it had read before may come once more than that. To rewind to a time reads
    /// the kept messages of the destination up to the first one that is meant.
    ///
    /// - Parameters:
    ///   - destination: The destination.
    ///   - target: From where on.
    ///   - subscription: Whose stream. Default "main".
    ///   - connection: A connection that is not in a transaction.
    /// - Returns: The id from which on all come again; nil: none has been handled that is meant, so nothing has changed.
    /// - Throws: As ``pause(_:subscription:on:)``.
    @discardableResult
    public func rewind(
        _ destination: Destination, to target: RewindTarget, subscription: String = "main",
        on connection: LibPQConnection
    ) async throws -> Int64? {
        try await self.schema.inTransaction(on: connection, readOnly: false, task: "rewind a stream of") {
            transaction in
            try await transaction.query(LibPQStatement(self.statements.holdLog.text))
            guard let first = try await self.first(destination, target, subscription, transaction) else { return nil }
            let rewind = LibPQStatement(
                self.statements.rewind.text, [.text(subscription), .text(destination.name), .int8(first)])
            return try await transaction.query(rewind).affectedRows > 0 ? first : nil
        }
    }

    /// How much a rewind would have delivered again. Changes nothing.
    ///
    /// - Parameters:
    ///   - destination: The destination.
    ///   - target: From where on.
    ///   - subscription: Whose stream. Default "main".
    ///   - countLimit: How far to count. Default 1,000,000.
    ///   - connection: A connection that is not in a transaction.
    /// - Returns: The id from which on all would come again, and how many; nil: none has been handled that is meant.
    /// - Throws: As ``pause(_:subscription:on:)``.
    public func extentOfRewind(
        _ destination: Destination, to target: RewindTarget, subscription: String = "main", countLimit: Int = 1_000_000,
        on connection: LibPQConnection
    ) async throws -> (first: Int64, messages: OutboxStatus.Count)? {
        try await self.schema.inTransaction(on: connection, readOnly: true, task: "rewind a stream of") { transaction in
            guard let first = try await self.first(destination, target, subscription, transaction) else { return nil }
            let extent = LibPQStatement(
                self.statements.rewindExtent.text,
                [.text(subscription), .text(destination.name), .int8(first), .int8(Int64(countLimit))])
            let messages = try await transaction.query(extent)[0].decode(0, as: Int.self)
            return messages > 0 ? (first, OutboxStatus.Count(messages, limit: countLimit)) : nil
        }
    }

    /// The id from which on all is meant; nil: there is none.
    private func first(
        _ destination: Destination, _ target: RewindTarget, _ subscription: String,
        _ transaction: borrowing LibPQTransaction
    ) async throws -> Int64? {
        let name = LibPQValue.text(destination.name)
        let exists = LibPQStatement(self.statements.streamExists.text, [.text(subscription), name])
        if try await !transaction.query(exists)[0].decode(0, as: Bool.self) {
            throw self.missing(destination, subscription)
        }
        switch target.kind {
        case .id(let id):
            return max(id, 1)
        case .time(let date):
            let results = try await transaction.pipeline([
                LibPQStatement(self.schema.inspectionStatements.configure),
                LibPQStatement(self.statements.firstSince.text, [name, .timestamp(date)]),
            ])
            return try results[1].first.map { row in try row.decode(0, as: Int64.self) }
        }
    }

    private func change(
        _ statement: Statements.Statement, _ destination: Destination, _ subscription: String, _ verb: String,
        _ connection: LibPQConnection
    ) async throws {
        try await self.schema.inTransaction(on: connection, readOnly: false, task: "\(verb) a stream of") {
            transaction in
            let binds: [LibPQValue] = [.text(subscription), .textArray([destination.name])]
            if try await transaction.query(LibPQStatement(statement.text, binds)).rowCount == 0 {
                throw self.missing(destination, subscription)
            }
        }
    }

    func missing(_ destination: Destination, _ subscription: String) -> OutboxError {
        OutboxError(
            .streamMissing,
            """
            The subscription "\(subscription)" has no stream of the destination "\(destination.name)": no relay of it has ever \
            had a route for that.
            """, schema: self.schema)
    }
}
