import Outbox
import Testing

@testable import OutboxPostgres

/// The ways in which a message with an idempotency key is enqueued.
enum KeyedWay: CaseIterable {
    case one, many, function

    func enqueue(
        _ message: NewMessage, _ outbox: PostgresOutbox, in transaction: borrowing LibPQTransaction
    ) async throws -> Int64 {
        switch self {
        case .one: return try await outbox.enqueue(message, in: transaction)
        case .many: return try await outbox.enqueue([message], in: transaction)[0]
        case .function:
            return try await transaction.query(
                """
                SELECT \(unescaped: outbox.schema.identifier).enqueue(
                    \(message.destination.name), \(message.payload), idempotency_key => \(message.idempotencyKey))
                """)[0].decode(0)
        }
    }

    /// The same in a transaction of its own.
    func enqueue(_ message: NewMessage, _ outbox: PostgresOutbox, on connection: LibPQConnection) async throws -> Int64
    {
        try await connection.withTransaction { transaction in
            try await self.enqueue(message, outbox, in: transaction)
        }
    }
}

extension NewMessage {
    /// A message of which nothing matters but its idempotency key.
    static func keyed(_ key: String?, to destination: Destination = "there", _ text: String = "") -> NewMessage {
        NewMessage(to: destination, idempotencyKey: key, text: text)
    }
}

extension TestOutbox {
    /// Ends the window of all keys.
    func expireIdempotencyKeys() async throws {
        try await self.connection.execute(
            script: "UPDATE \(self.name).idempotency SET expires_at = now() - interval '1 second'")
    }
}
