public import Outbox
import OutboxSQL

/// Throws away what waits for a destination.
extension OutboxStreams {
    /// What is thrown away.
    public struct Discarded: Sendable, Hashable {
        /// Messages in the log, as they were counted just before.
        public var messages: OutboxStatus.Count
        /// Messages that wait for a later attempt or for their time.
        public var deferred: OutboxStatus.Count
    }

    /// Counts all of a destination's messages that are committed and not delivered as handled, and deletes what of them waits for a later attempt or
    /// for its time. What commits later is delivered. Dead letters stay.
    ///
    /// Of a destination that no relay has ever had a route for, a stream is made that begins now. A relay at work goes on from there; what it has
    /// read already is still delivered: of a destination that is down, up to its window. End it first where none of it may go out.
    ///
    /// Other subscriptions have their own streams, of which nothing is discarded. Where it is interrupted, deferred messages may be left: do it again.
    ///
    /// - Parameters:
    ///   - destination: The destination.
    ///   - dryRun: Whether only to count. Default false.
    ///   - subscription: Whose stream. Default "main".
    ///   - countLimit: How far to count. Default 1,000,000.
    ///   - connection: A connection that is not in a transaction.
    /// - Returns: How much it is.
    /// - Throws: ``OutboxError/Code/streamMissing`` where the destination has neither a stream nor a message, or has no stream in this subscription and
    ///   one in another; and as
    ///   ``pause(_:subscription:on:)``.
    @discardableResult
    public func discard(
        _ destination: Destination, dryRun: Bool = false, subscription: String = "main", countLimit: Int = 1_000_000,
        on connection: LibPQConnection
    ) async throws -> Discarded {
        let (owner, name) = (LibPQValue.text(subscription), LibPQValue.text(destination.name))
        let task = "discard messages of"
        let discarded = try await self.schema.inTransaction(on: connection, readOnly: dryRun, task: task) {
            transaction -> Discarded in
            let counted = try await transaction.pipeline([
                LibPQStatement(self.schema.inspectionStatements.configure),
                LibPQStatement(
                    self.schema.inspectionStatements.streamStatus, [owner, .int8(Int64(countLimit)), name]),
                LibPQStatement(self.statements.countLog.text, [name, .int8(Int64(countLimit))]),
                LibPQStatement(self.statements.hasNoReader.text, [owner, name]),
                LibPQStatement(self.statements.lastID.text),
            ])
            let streams = try counted[1].map { row in try OutboxStatus.Stream(row, countLimit: countLimit) }
            var discarded = Discarded(
                messages: Self.sum(streams.map(\.lag)), deferred: Self.sum(streams.map(\.deferred)))
            if streams.isEmpty {
                let messages = try counted[2][0].decode(0, as: Int.self)
                let hasNoReader = try counted[3][0].decode(0, as: Bool.self)
                if messages == 0 || hasNoReader { throw self.missing(destination, subscription) }
                discarded.messages = OutboxStatus.Count(messages, limit: countLimit)
            }
            if dryRun { return discarded }
            if streams.isEmpty {
                let register: [LibPQValue] = [
                    owner, .textArray([destination.name]), .int4(1), .textArray([destination.name]), .bool(false),
                ]
                try await transaction.query(LibPQStatement(self.statements.register.text, register))
            }
            // In the order in which a relay takes them. One that was quicker to make the stream has begun it elsewhere.
            try await transaction.query(LibPQStatement(self.statements.parts.text, [owner, name]))
            let lastID = LibPQValue.int8(try counted[4][0].decode(0, as: Int64.self))
            try await transaction.query(LibPQStatement(self.statements.discard.text, [owner, name, lastID]))
            return discarded
        }
        if dryRun { return discarded }
        // By itself: a relay has rows of deferred messages first, and then that of the stream.
        try await self.schema.inTransaction(on: connection, readOnly: false, task: task) { transaction in
            let filter: [LibPQValue] = [owner, .null, name, .null, .null, .null, .bool(false)]
            try await transaction.query(LibPQStatement(self.schema.inspectionStatements.discardDeferred, filter))
        }
        return discarded
    }

    private static func sum(_ counts: [OutboxStatus.Count]) -> OutboxStatus.Count {
        OutboxStatus.Count(counts.reduce(0) { $0 + $1.value }, isExact: counts.allSatisfy(\.isExact))
    }
}
