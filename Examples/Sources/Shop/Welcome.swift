import Outbox
import OutboxPostgres

/// Enqueues one message for a customer, however often it is called within a day.
@MainActor
func welcome(_ customer: String) async throws {
    try await pool.withTransaction { transaction in
        try await outbox.enqueue(
            NewMessage(to: .mail, idempotencyKey: "welcome-\(customer)", text: "Thank you, \(customer)"), in: transaction)
    }
}
