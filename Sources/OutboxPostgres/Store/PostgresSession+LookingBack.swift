import Logging
import Outbox
import OutboxSQL

/// After a session has begun, all messages that came since the stored cursors are looked at once, when there is nothing else to do: whether
/// ids have risen with the numbers of transactions.
///
/// What a session reads first is bounded by that (see ``Cursor/horizon``). What lets ids fall behind, and leaves no other trace, is
/// a sequence that was set back and has overtaken itself, or sessions that drew ids in advance some time ago. All that came since
/// the oldest cursor may be millions, and a takeover does not wait for that.
struct LookBack {
    struct Stream {
        let id: StreamID
        let destination: Destination
        let snapshot: Cursor.Snapshot
        let position: Int64
        let horizon: UInt64
        let generation: Int32

        /// Nil: all that is late for the stream is read anyway.
        init?(_ stream: StreamState) {
            guard let horizon = stream.cursor.horizon else { return nil }
            self.id = stream.id
            self.destination = stream.destination
            self.snapshot = stream.cursor.snapshot
            self.position = stream.cursor.position
            self.horizon = horizon
            self.generation = stream.generation
        }
    }

    /// How many messages are looked at between two reads: a few milliseconds.
    static let messages = 10_000

    var streams: [Stream]
    /// The next transaction to look at.
    var next: UInt64
    /// The first one that came after the session had begun.
    let end: UInt64
    var limit = LookBack.messages

    /// Nil where there is nothing to look at.
    init?(_ streams: [Stream], end: UInt64) {
        guard let first = streams.map(\.horizon).min(), first < end else { return nil }
        self.streams = streams
        self.next = first
        self.end = end
    }

    /// A slice was looked at.
    ///
    /// - Parameters:
    ///   - messages: How many messages it had.
    ///   - last: The last one's transaction.
    /// - Returns: Whether there is more.
    mutating func looked(at messages: Int, last: UInt64?) -> Bool {
        guard let last, messages >= self.limit else { return false }
        // One transaction may have more messages than a slice: it is looked at from its beginning, and further.
        if last == self.next { self.limit *= 2 } else { self.limit = Self.messages }
        self.next = last
        return true
    }
}

extension PostgresSession {
    /// Looks at a slice, if there is one left.
    ///
    /// - Returns: Whether there was.
    /// - Throws: ``/Outbox/RelayError`` where a stream has passed messages that it has not read: they are read by the session that
    ///   follows.
    func lookBackOnce() async throws -> Bool {
        guard var back = self.lookBack else { return false }
        let streams = back.streams
        let row = try await self.connection.pipeline([
            self.bound(self.statements.joinByHash),
            self.bound(
                self.statements.lookBack,
                [
                    .transactionID(back.next), .transactionID(back.end), .int8(Int64(back.limit)),
                    .int4Array(streams.map(\.id.value)), .textArray(streams.map(\.destination.name)),
                    .textArray(streams.map { "\($0.horizon)" }), .int8Array(streams.map(\.position)),
                ]),
        ])[1][0]
        let passed = Set(try row.decode("streams", as: [Int32].self))
        let last = try row.decode("last", as: Int64?.self)
        self.lookBack =
            back.looked(at: try row.decode("messages"), last: last.map { UInt64(bitPattern: $0) }) ? back : nil
        let found = streams.filter { passed.contains($0.id.value) }
        if found.isEmpty { return true }
        _ = try await self.connection.query(
            self.bound(
                self.statements.putBack,
                [
                    .int4Array(found.map(\.id.value)), .textArray(found.map { Cursor.text(of: $0.snapshot) }),
                    .int8Array(found.map(\.position)), .int4Array(found.map(\.generation)),
                ]))
        let names = found.map(\.destination.name).joined(separator: ", ")
        self.logger.error(
            "Ids have not risen with the numbers of transactions; all since this session began is read again",
            metadata: ["outbox.destinations": "\(names)"])
        throw RelayError(
            .logChanged,
            "Messages for \(names) were passed by their ids before they were read; they are read from where the session began."
        )
    }
}
