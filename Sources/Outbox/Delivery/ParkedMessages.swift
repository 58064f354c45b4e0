/// A parked message: its handler takes long, and the message waits in `deferred` for the end of the call.
package struct ParkedMessage: Sendable, Hashable {
    package let id: Int64
    /// How often delivery was tried before.
    package let attempts: Int
    /// Its key, if later messages of the key wait for it.
    package let key: String?
    package let keyHash: UInt64?

    package init(id: Int64, attempts: Int, key: String?, keyHash: UInt64?) {
        self.id = id
        self.attempts = attempts
        self.key = key
        self.keyHash = keyHash
    }
}

/// The parked messages of one stream. The outcome of one is made durable as soon as its row is in `deferred`, at the earliest by the
/// commit that puts it there. Until then, none of them may be read from there.
///
/// A value type without I/O or clock.
package struct ParkedMessages: Sendable {
    /// What became of a message: nil where it was delivered.
    package typealias Ending = (message: ParkedMessage, verdict: PageTicket.Verdict?)

    private struct Entry {
        let message: ParkedMessage
        /// The page that it is of, until that is committed.
        var page: Int?
        var hasEnded = false
        var verdict: PageTicket.Verdict?
    }

    private var entries: [Int64: Entry] = [:]

    package init() {}

    /// Those that must not be read from `deferred`.
    package var ids: [Int64] { self.entries.keys.sorted() }

    /// Whether there are none, nor outcomes that are not durable.
    package var isEmpty: Bool { self.entries.isEmpty }

    /// Whether a handler is still working on one of them.
    package var isRunning: Bool { self.entries.values.contains { !$0.hasEnded } }

    /// How many outcomes can be made durable.
    package var committable: Int {
        self.entries.isEmpty ? 0 : self.entries.values.count { $0.hasEnded && $0.page == nil }
    }

    /// Messages of a page are parked.
    package mutating func park(_ messages: [ParkedMessage], page: Int) {
        for message in messages { self.entries[message.id] = Entry(message: message, page: page) }
    }

    /// The handler has finished.
    ///
    /// - Parameter verdict: nil: the message is delivered.
    package mutating func end(_ id: Int64, _ verdict: PageTicket.Verdict?) {
        self.entries[id]?.hasEnded = true
        self.entries[id]?.verdict = verdict
    }

    /// A page is committed, or is going to be before what ``take()`` returns: its messages are in `deferred`.
    package mutating func stored(page: Int) {
        for (id, entry) in self.entries where entry.page == page { self.entries[id]?.page = nil }
    }

    /// The relay ends before the handlers have: what was counted as an attempt, because its end was not known yet,
    /// was none.
    package mutating func abandon() {
        for (id, entry) in self.entries where !entry.hasEnded {
            self.end(
                id,
                .deferred(
                    Deferral(
                        id: id, attempts: entry.message.attempts, due: .after(.zero), ordered: entry.message.key != nil,
                        error: nil)))
        }
    }

    /// Takes the outcomes that can be made durable.
    package mutating func take() -> [Ending] {
        let ended = self.entries.values.filter { $0.hasEnded && $0.page == nil }
        for entry in ended { self.entries[entry.message.id] = nil }
        return ended.map { ($0.message, $0.verdict) }.sorted { $0.message.id < $1.message.id }
    }
}
