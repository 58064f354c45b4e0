/// Which keys of a stream are held up by deferred messages, so that later ones must queue behind them.
///
/// A key is blocked from the moment one of its messages is to be deferred until the commit that removes its last
/// deferred message. Keys are known by their hashes: two keys with the same hash hold up each other, which costs a
/// delay and nothing else.
package struct KeyGate: Sendable {
    /// Deferred messages in the store, by key.
    private var stored: [UInt64: Int]
    /// Decided and not yet committed.
    private var pending: [UInt64: Int] = [:]

    package init(stored: [UInt64: Int] = [:]) {
        self.stored = stored
    }

    /// Whether no key is blocked.
    package var isOpen: Bool { self.stored.isEmpty && self.pending.isEmpty }

    /// Whether a message of that key has to queue.
    package func isBlocked(_ key: UInt64) -> Bool {
        self.stored[key] != nil || self.pending[key] != nil
    }

    /// A message of that key is going to be deferred.
    package mutating func block(_ key: UInt64) {
        self.pending[key, default: 0] += 1
    }

    /// Decided deferrals have been committed, and deferred messages have been removed.
    package mutating func committed(deferred: [UInt64], removed: [UInt64]) {
        for key in deferred {
            Self.decrement(&self.pending, key)
            self.stored[key, default: 0] += 1
        }
        for key in removed { Self.decrement(&self.stored, key) }
    }

    /// The store has been read again; what is pending stays.
    package mutating func reload(stored: [UInt64: Int]) {
        self.stored = stored
    }

    private static func decrement(_ counts: inout [UInt64: Int], _ key: UInt64) {
        guard let count = counts[key] else { return }
        counts[key] = count > 1 ? count - 1 : nil
    }
}
