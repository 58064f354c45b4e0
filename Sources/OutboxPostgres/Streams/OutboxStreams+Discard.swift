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
    /// Other subscriptions have their own streams, of which nothing is discarded.
    ///
    /// - Parameters:
    ///   - destination: The destination.
    ///   - dryRun: Whether only to count. Default false.
    ///   - subscription: Whose stream. Default "main".
    ///   - countLimit: How far to count. Default 1,000,000.
    ///   - connection: A connection that is not in a transaction.
    /// - Returns: How much it is.
    /// - Throws: ``OutboxError/Code/streamMissing`` where the destination has neither a stream nor a message; and as
    ///   ``pause(_:subscription:on:)``.
    @discardableResult
    public func discard(
        _ destination: Destination, dryRun: Bool = false, subscription: String = "main", countLimit: Int = 1_000_000,
        on connection: LibPQConnection
    ) async throws -> Discarded {
        try await self.schema.inTransaction(on: connection, readOnly: dryRun, task: "discard messages of") {
            transaction in
            let (owner, name) = (LibPQValue.text(subscription), LibPQValue.text(destination.name))
            let counted = try await transaction.pipeline([
                LibPQStatement(self.schema.inspectionStatements.configure),
                LibPQStatement(
                    self.schema.inspectionStatements.streamStatus, [owner, .int8(Int64(countLimit)), name]),
                LibPQStatement(self.statements.countLog.text, [name, .int8(Int64(countLimit))]),
                LibPQStatement(self.statements.lastID.text),
            ])
            let streams = try counted[1].map { row in try OutboxStatus.Stream(row, countLimit: countLimit) }
            if streams.isEmpty {
                let messages = try counted[2][0].decode(0, as: Int.self)
                if messages == 0 { throw self.missing(destination, subscription) }
                if !dryRun {
                    let register: [LibPQValue] = [
                        owner, .textArray([destination.name]), .int4(1), .textArray([destination.name]), .bool(false),
                    ]
                    try await transaction.query(LibPQStatement(self.statements.register.text, register))
                }
                return Discarded(
                    messages: OutboxStatus.Count(messages, limit: countLimit), deferred: OutboxStatus.Count(0))
            }
            if !dryRun {
                try await transaction.query(
                    LibPQStatement(
                        self.statements.discard.text,
                        [owner, name, .int8(try counted[3][0].decode(0, as: Int64.self))]))
            }
            return Discarded(
                messages: Self.sum(streams.map(\.lag)), deferred: Self.sum(streams.map(\.deferred)))
        }
    }

    private static func sum(_ counts: [OutboxStatus.Count]) -> OutboxStatus.Count {
        OutboxStatus.Count(counts.reduce(0) { $0 + $1.value }, isExact: counts.allSatisfy(\.isExact))
    }
}
