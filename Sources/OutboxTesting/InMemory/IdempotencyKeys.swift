import Outbox

/// The keys with which messages were enqueued, and by which transaction. A value type without clock or lock.
struct IdempotencyKeys {
    private struct Key: Hashable {
        let destination: Destination
        let text: String
    }

    private struct First {
        let id: Int64
        let expiresAt: Timestamp
    }

    private var committed: [Key: First] = [:]
    /// The keys of transactions that have not ended, with the transaction's number.
    private var open: [Key: (first: First, transaction: Int)] = [:]

    /// The id of the message that the destination has had with the message's key.
    ///
    /// - Throws: If a transaction that has not ended holds the key.
    func first(like message: NewMessage, now: Timestamp, transaction: Int) throws(InvalidMessage) -> Int64? {
        guard let key = self.key(of: message) else { return nil }
        if let first = self.committed[key], first.expiresAt > now { return first.id }
        guard let (first, holder) = self.open[key] else { return nil }
        if holder == transaction { return first.expiresAt > now ? first.id : nil }
        throw InvalidMessage(
            field: "idempotencyKey",
            reason: "is held by a transaction that has not ended; in Postgres the call would wait for it")
    }

    mutating func hold(for message: NewMessage, id: Int64, until expiresAt: Timestamp, transaction: Int) {
        guard let key = self.key(of: message) else { return }
        self.open[key] = (First(id: id, expiresAt: expiresAt), transaction)
    }

    mutating func commit(_ transaction: Int) {
        for (key, held) in self.open where held.transaction == transaction { self.committed[key] = held.first }
        self.rollback(transaction)
    }

    mutating func rollback(_ transaction: Int) {
        self.open = self.open.filter { $0.value.transaction != transaction }
    }

    private func key(of message: NewMessage) -> Key? {
        message.idempotencyKey.map { Key(destination: message.destination, text: $0) }
    }
}
