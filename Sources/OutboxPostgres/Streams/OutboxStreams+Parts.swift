public import Outbox
import OutboxSQL

/// Divides a destination's streams, and makes one of them again, with or without relays at work on them: see `StreamHandover`. Nothing is
/// repeated for it, and the order of keys holds.
extension OutboxStreams {
    /// How many messages a merge puts aside at most, unless it is told otherwise.
    public static let mostUnread = 10_000

    /// Divides a destination into streams with as many slots each, which relays share, and each of which is read by one relay at a time.
    /// Messages with one key are of one stream.
    ///
    /// Deferred messages, dead letters, a pause and what was rewound stay as they are.
    ///
    /// - Parameters:
    ///   - destination: The destination.
    ///   - count: How many streams, 1 to 1024. Each that there is must be divided evenly by that: 2 into 4, not into 3.
    ///   - subscription: Whose streams. Default "main".
    ///   - limit: How long relays may take to finish what they have begun. Default 30 s.
    ///   - connection: A connection that is not in a transaction.
    /// - Returns: How many streams there were.
    /// - Throws: ``OutboxError/Code/streamParts`` where these streams cannot be divided so, ``OutboxError/Code/streamBusy`` where a relay did not
    ///   hand one over in time; and as ``pause(_:subscription:on:)``.
    @discardableResult
    public func split(
        _ destination: Destination, into count: Int, subscription: String = "main",
        waitingFor limit: Duration = .seconds(30),
        on connection: LibPQConnection
    ) async throws -> Int {
        guard (1...1024).contains(count) else {
            throw self.parts("A destination can be divided into 1 to 1024 streams, not into \(count).")
        }
        let lows = (0..<count).map { Int16($0 * 1024 / count) }
        let highs = lows.dropFirst().map { $0 - 1 } + [1023]
        return try await self.holding(destination, subscription, limit, connection) { transaction, present, _ in
            if present.contains(where: { !lows.contains($0.lowerBound) }) {
                throw self.parts(
                    """
                    “\(destination)” has \(present.count) streams, whose ranges of slots cannot be divided so that there are \(count) with \
                    as many slots each. Merge them first; streams that are equally wide can be split into a multiple of what they are.
                    """)
            }
            if present.count == count { return present.count }
            try await transaction.query(
                LibPQStatement(
                    self.statements.split.text,
                    [
                        .text(subscription), .text(destination.name), .int4Array(lows.map(Int32.init)),
                        .int4Array(highs.map(Int32.init)),
                    ]))
            return present.count
        }
    }

    /// Makes one stream of all of a destination. What some of them have read and others have not is put aside: it is delivered from among the
    /// deferred messages, at once and in the order of its keys.
    ///
    /// - Parameters:
    ///   - destination: The destination.
    ///   - mostUnread: How many messages to put aside at most; each is a row that is written. Default ``mostUnread``.
    ///   - subscription: Whose streams. Default "main".
    ///   - limit: How long relays may take to finish what they have begun. Default 30 s.
    ///   - connection: A connection that is not in a transaction, whose role may also delete rows of `stream`.
    /// - Returns: How many streams there were, and how many messages were put aside.
    /// - Throws: ``OutboxError/Code/streamUnread`` where more than that have not been read, and as ``split(_:into:subscription:waitingFor:on:)``.
    @discardableResult
    public func merge(
        _ destination: Destination, mostUnread: Int = OutboxStreams.mostUnread, subscription: String = "main",
        waitingFor limit: Duration = .seconds(30), on connection: LibPQConnection
    ) async throws -> (streams: Int, messages: Int) {
        try await self.holding(destination, subscription, limit, connection) { transaction, present, lastID in
            if present.count == 1 { return (1, 0) }
            let name = LibPQValue.text(destination.name)
            let unread = try await transaction.query(
                LibPQStatement(
                    self.statements.countUnread.text, [.text(subscription), name, .int8(Int64(mostUnread) + 1)]))[0]
                .decode(0, as: Int64.self)
            if unread > mostUnread {
                throw OutboxError(
                    .streamUnread,
                    """
                    More than \(mostUnread) messages for “\(destination)” have not been read, which would all be written again: merge when \
                    the relays have caught up, or allow more.
                    """, schema: self.schema)
            }
            let merged = try await transaction.query(
                LibPQStatement(self.statements.merge.text, [.text(subscription), name, .int8(lastID)]))[0]
            return (present.count, Int(try merged.decode(0, as: Int64.self)))
        }
    }

    /// Runs a closure in a transaction in which no relay has the streams of a destination.
    ///
    /// - Parameter body: Is given the streams' slots, in the order of these, and the log's last id before the transaction had a number.
    private func holding<Result>(
        _ destination: Destination, _ subscription: String, _ limit: Duration, _ connection: LibPQConnection,
        _ body: (borrowing LibPQTransaction, _ present: [ClosedRange<Int16>], _ lastID: Int64) async throws -> Result
    ) async throws -> Result {
        let handover = StreamHandover(
            schema: self.schema, statements: self.statements, task: "divide the streams of", limit: limit,
            connection: connection)
        return try await handover.holding(
            { transaction in
                try await self.present(destination, subscription, transaction)
            },
            ifChanged: {
                self.parts(
                    "The streams of “\(destination)” were divided by another session meanwhile: look, and try again.")
            }
        ) { transaction, present, lastID in
            try await body(transaction, present.map(\.slots), lastID)
        }
    }

    private func present(
        _ destination: Destination, _ subscription: String, _ transaction: borrowing LibPQTransaction
    ) async throws -> [StreamHandover.Part] {
        let rows = try await transaction.query(
            LibPQStatement(self.statements.parts.text, [.text(subscription), .text(destination.name)]))
        if rows.isEmpty { throw self.missing(destination, subscription) }
        let streams = try rows.map { row in try StreamHandover.Part(row) }
            .sorted { $0.slots.lowerBound < $1.slots.lowerBound }
        // A stream that got slots which it had not would count their messages as read.
        let count = streams.map(\.slots.count).reduce(0, +)
        guard count == StreamState.allSlots.count, StreamState.coverAllSlots(streams.map(\.slots)) else {
            throw self.parts(
                "Some slots of “\(destination)” have no stream, or two: its rows were changed by hand, and are to be mended first."
            )
        }
        return streams
    }

    private func parts(_ message: String) -> OutboxError { OutboxError(.streamParts, message, schema: self.schema) }
}
