public import Outbox
import OutboxSQL

extension PostgresOutbox {
    /// Enqueues any number of messages with `COPY`, several times as fast as with `INSERT`. The sequence is asked for
    /// more as fast as the server takes them, so it may be longer than memory is large.
    ///
    /// All or nothing: if a message is refused or the sequence throws, none is enqueued, and the transaction goes on as
    /// if the call had not been made. A message with an idempotency key is refused: `COPY` looks nothing up.
    ///
    /// - Returns: How many messages there were.
    /// - Throws: ``/Outbox/InvalidMessage``, for the first message that is refused; what `messages` throws;
    ///   ``OutboxError`` and ``LibPQError`` as ``enqueue(_:in:)->Int64``; ``LibPQTransactionError`` if the transaction could not be
    ///   saved.
    @discardableResult
    public func copy<Messages: AsyncSequence>(
        _ messages: Messages, in transaction: borrowing LibPQTransaction
    ) async throws -> Int where Messages.Element == NewMessage {
        try await self.copy(in: transaction) { write in
            for try await message in messages { try await write(message) }
        }
    }

    /// Enqueues any number of messages with `COPY`; see ``copy(_:in:)``.
    @discardableResult
    public func copy<Messages: Sequence>(
        _ messages: Messages, in transaction: borrowing LibPQTransaction
    ) async throws -> Int where Messages.Element == NewMessage {
        try await self.copy(in: transaction) { write in
            for message in messages { try await write(message) }
        }
    }

    private func copy(
        in transaction: borrowing LibPQTransaction, _ feed: ((NewMessage) async throws -> Void) async throws -> Void
    ) async throws -> Int {
        // A COPY that was begun can only fail, and takes the transaction with it but for the savepoint.
        try await transaction.withSavepoint { transaction in
            let current = try await self.run(LibPQStatement(self.statements.currentSegment), in: transaction)
            let segment = try current[0].decode(0, as: Int16.self)
            return try await transaction.copyIn(self.statements.copy) { writer in
                var rows = CopyRows(segment: segment, columns: self.columns.sent)
                try await feed { message in
                    if message.idempotencyKey != nil {
                        throw InvalidMessage(field: "idempotencyKey", reason: "is not possible with COPY")
                    }
                    try rows.append(self.checked(message))
                    if let chunk = rows.takeChunk() { try await writer.write(chunk) }
                }
                try await writer.write(rows.finish())
            }
        }
    }
}
