import DequeModule

/// Which pages of one stream are on their way, and how far its cursor may move.
///
/// The cursor moves behind the last page before which all is settled. A value type without I/O or clock.
package struct Ledger<Page> {
    private struct Entry {
        let sequence: Int
        let page: Page
        let count: Int
        let bytes: Int
        var isSettled = false
    }

    private var log: Deque<Entry> = []
    private var deferred: Entry?
    private var settledDeferred: Entry?
    /// The number of the next page to be added.
    package private(set) var nextSequence: Int

    /// Messages read from the log and not yet committed.
    package private(set) var messages = 0
    /// Their payloads' bytes.
    package private(set) var bytes = 0
    /// Messages that are settled and can be committed, deferred ones included.
    package private(set) var committable = 0

    /// - Parameter firstSequence: The number of the first page.
    package init(firstSequence: Int = 0) {
        self.nextSequence = firstSequence
    }

    /// The number of the last page that is going to be settled: those after it are held back.
    private var last = Int.max

    /// Whether nothing is on its way, and nothing waits to be committed.
    package var isEmpty: Bool {
        self.settledDeferred == nil && !self.isUnsettled && (self.log.first.map { $0.sequence > self.last } ?? true)
    }

    /// Whether a handler may still be working on something.
    package var isUnsettled: Bool {
        (self.deferred.map { $0.sequence <= self.last } ?? false)
            || self.log.contains { !$0.isSettled && $0.sequence <= self.last }
    }

    /// Pages after one are not going to be settled for now; nil: all are.
    package mutating func hold(after sequence: Int?) { self.last = sequence ?? .max }

    /// Whether a page of deferred messages is on its way or waits to be committed; there is one at a time.
    package var hasDeferred: Bool { self.deferred != nil || self.settledDeferred != nil }

    /// A page has been read; it is known here by ``nextSequence``.
    package mutating func add(_ page: Page, origin: MessageOrigin, count: Int, bytes: Int) {
        defer { self.nextSequence += 1 }
        let entry = Entry(sequence: self.nextSequence, page: page, count: count, bytes: bytes)
        switch origin {
        case .log:
            self.log.append(entry)
            self.messages += count
            self.bytes += bytes
        case .deferred:
            precondition(!self.hasDeferred, "One page of deferred messages at a time.")
            self.deferred = entry
        }
    }

    /// Whether a page is on its way.
    package func isUnsettled(_ sequence: Int) -> Bool {
        self.deferred?.sequence == sequence || self.log.contains { $0.sequence == sequence && !$0.isSettled }
    }

    /// Every message of a page is settled. A page that is not known is another ledger's.
    package mutating func settle(_ sequence: Int) {
        if var entry = self.deferred, entry.sequence == sequence {
            entry.isSettled = true
            self.settledDeferred = entry
            self.deferred = nil
            self.committable += entry.count
            return
        }
        guard let index = self.log.firstIndex(where: { $0.sequence == sequence }) else { return }
        let wasPrefix = self.settledPrefix
        self.log[index].isSettled = true
        for entry in self.log[wasPrefix..<self.settledPrefix] { self.committable += entry.count }
    }

    /// Takes what can be committed: the log's pages in order, and the page of deferred messages.
    package mutating func takeCommittable() -> (log: [Page], deferred: Page?) {
        let prefix = self.log.prefix(self.settledPrefix)
        for entry in prefix {
            self.messages -= entry.count
            self.bytes -= entry.bytes
        }
        let taken = (log: prefix.map(\.page), deferred: self.settledDeferred?.page)
        self.log.removeFirst(prefix.count)
        self.settledDeferred = nil
        self.committable = 0
        return taken
    }

    /// How many of the log's pages, from the first on, are settled without a gap.
    private var settledPrefix: Int {
        self.log.firstIndex { !$0.isSettled } ?? self.log.count
    }
}
