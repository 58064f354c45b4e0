import Outbox
import OutboxPostgres

extension MessageLines {
    /// Enqueues all lines: with `COPY` up to the first one with an idempotency key, which `COPY` cannot look up, and from
    /// there on some at a time.
    ///
    /// - Returns: How many lines there were.
    func enqueue(into outbox: PostgresOutbox, in transaction: borrowing LibPQTransaction) async throws -> Int {
        let lines = LinesWithoutKey(self.makeAsyncIterator())
        var count = try await outbox.copy(lines, in: transaction)
        var batch = lines.keyed.map { [$0] } ?? []
        while !batch.isEmpty {
            var bytes = 0
            while batch.count < 1000, bytes < 8 << 20, let message = try await lines.rest.next() {
                bytes += message.payload.count
                batch.append(message)
            }
            count += try await outbox.enqueue(batch, in: transaction).count
            batch = try await lines.rest.next().map { [$0] } ?? []
        }
        return count
    }
}

/// The messages before the first one with an idempotency key.
private final class LinesWithoutKey: AsyncSequence, AsyncIteratorProtocol {
    var rest: MessageLines.Iterator
    /// The first one with an idempotency key, once it has been read.
    private(set) var keyed: NewMessage?

    init(_ lines: MessageLines.Iterator) {
        self.rest = lines
    }

    func makeAsyncIterator() -> LinesWithoutKey { self }

    func next() async throws -> NewMessage? {
        guard let message = try await self.rest.next() else { return nil }
        if message.idempotencyKey == nil { return message }
        self.keyed = message
        return nil
    }
}
