import Outbox
import OutboxTesting

/// An outbox in memory for one conformance check.
struct InMemoryFixture: StoreFixture {
    let outbox = InMemoryOutbox()

    var store: any RelayStore { self.outbox }

    func enqueue(_ messages: [NewMessage]) async throws -> [Int64] { try self.outbox.enqueue(messages) }

    func begin() async throws -> any FixtureTransaction { Transaction(transaction: self.outbox.begin()) }

    func deferred() async throws -> [DeferredSnapshot] {
        self.outbox.deferred().map { row in
            DeferredSnapshot(
                id: row.id, attempts: row.attempts, nextAttemptAt: row.nextAttemptAt, isOrdered: row.isOrdered,
                error: row.error)
        }
    }

    func deadLetters() async throws -> [DeadLetterSnapshot] {
        self.outbox.deadLetters().map { row in
            DeadLetterSnapshot(id: row.id, attempts: row.attempts, reason: row.reason, error: row.error)
        }
    }

    func makeDue() async throws { self.outbox.makeDeferredDue() }

    func replay(deadLetter id: Int64) async throws { self.outbox.replay(deadLetter: id) }

    func split(_ destination: Destination) async throws { self.outbox.split(destination) }

    func cutSessions() async throws { self.outbox.disconnectSessions() }

    private struct Transaction: FixtureTransaction {
        let transaction: InMemoryTransaction

        func enqueue(_ messages: [NewMessage]) async throws -> [Int64] {
            try messages.map { try self.transaction.enqueue($0) }
        }

        func commit() async throws { self.transaction.commit() }

        func rollback() async throws { self.transaction.rollback() }
    }
}
