import Outbox

/// The deferred messages of one stream.
struct DeferredQueue {
    struct Row {
        let message: StoredMessage
        var attempts: Int
        /// When it is tried next; nil: when the earlier ones of its key are settled.
        var due: Timestamp?
        /// Whether later messages of its key wait for it.
        var isOrdered: Bool
        var error: String?

        var id: Int64 { self.message.id }
        var key: String? { self.message.content.key }
    }

    private(set) var rows: [Int64: Row] = [:]
    /// The pages that were read and not settled.
    private var inFlight: [InMemoryPage] = []

    /// The rows by id.
    var sorted: [Row] { self.rows.values.sorted { $0.id < $1.id } }

    /// How many ordered rows there are of each key, by the key's hash.
    var keys: [UInt64: Int] {
        var counts: [UInt64: Int] = [:]
        for row in self.rows.values where row.isOrdered {
            if let hash = row.message.keyHash { counts[hash, default: 0] += 1 }
        }
        return counts
    }

    // MARK: - Reading

    /// What is due, and behind each ordered row that is due those of its key that wait for it. By id.
    ///
    /// - Parameter excluded: Those that a handler is working on.
    mutating func read(
        messages: Int, bytes: Int, now: Timestamp, excluding excluded: Set<Int64>, stream: StreamID,
        destination: Destination
    ) -> InMemoryPage? {
        let limit = messages > 0 ? messages : 1000
        var firstOrdered: [String: Int64] = [:]
        var page: [InMemoryPage.Row] = []
        var pageBytes = 0
        for (row, isReadable) in self.readable(now: now, excluding: excluded) {
            if row.isOrdered, let key = row.key, firstOrdered[key] == nil { firstOrdered[key] = row.id }
            guard isReadable else { continue }
            if page.count == limit || pageBytes >= bytes { break }
            pageBytes += row.message.size
            let isHeld = !row.isOrdered && row.key.map { firstOrdered[$0] != nil } ?? false
            page.append(
                InMemoryPage.Row(
                    message: row.message, attempts: row.attempts, isHeld: isHeld, isOrdered: row.isOrdered))
        }
        if page.isEmpty { return nil }
        let read = InMemoryPage(stream: stream, destination: destination, origin: .deferred, rows: page)
        self.inFlight.append(read)
        return read
    }

    /// How long until the next row that is not in flight is due; nil: none will be.
    func nextDue(now: Timestamp, excluding excluded: Set<Int64>) -> Duration? {
        let inFlight = self.inFlightIDs.union(excluded)
        let due = self.rows.values.lazy.filter { !inFlight.contains($0.id) }.compactMap(\.due).min()
        return due.map { max(.zero, $0.since(now)) }
    }

    /// Whether a row is being delivered, or is due.
    func isBusy(now: Timestamp) -> Bool {
        !self.inFlight.isEmpty || self.rows.values.contains { row in row.due.map { $0 <= now } ?? false }
    }

    private func readable(now: Timestamp, excluding excluded: Set<Int64>) -> [(row: Row, isReadable: Bool)] {
        let inFlight = self.inFlightIDs.union(excluded)
        // The keys of which the last ordered row so far is to be read, and those that wait behind it with it.
        var open: Set<String> = []
        return self.sorted.map { row in
            let isFree = !inFlight.contains(row.id)
            let isDue = row.due.map { $0 <= now } ?? false
            guard row.isOrdered, let key = row.key else { return (row, isFree && isDue) }
            let isReadable = isFree && (isDue || (row.due == nil && open.contains(key)))
            if isReadable { open.insert(key) } else { open.remove(key) }
            return (row, isReadable)
        }
    }

    private var inFlightIDs: Set<Int64> { Set(self.inFlight.lazy.flatMap { page in page.rows.map(\.message.id) }) }

    // MARK: - Settling

    /// Adds a row, unless there is one of that id.
    mutating func insert(_ row: Row) {
        if self.rows[row.id] == nil { self.rows[row.id] = row }
    }

    mutating func update(_ id: Int64, _ body: (inout Row) -> Void) {
        guard var row = self.rows[id] else { return }
        body(&row)
        self.rows[id] = row
    }

    @discardableResult
    mutating func remove(_ id: Int64) -> Row? {
        self.rows.removeValue(forKey: id)
    }

    /// A relay settles a page as a whole, but says nothing of the rows that stay as they are: the pages that any of the
    /// rows is of are in flight no more.
    mutating func land(_ ids: Set<Int64>) {
        self.inFlight.removeAll { page in page.rows.contains { ids.contains($0.message.id) } }
    }

    /// Nothing is in flight any more: its session has ended.
    mutating func landAll() {
        self.inFlight = []
    }

    /// Only the rows with these slots are left.
    mutating func limit(to slots: ClosedRange<Int>) {
        self.rows = self.rows.filter { slots.contains($0.value.message.slot) }
    }

    /// Makes the first ordered row of each key due, if it has no due time.
    ///
    /// - Parameter keys: Which; nil: all.
    mutating func promote(_ keys: Set<String>?, now: Timestamp) {
        if let keys, keys.isEmpty { return }
        var seen: Set<String> = []
        for row in self.sorted where row.isOrdered {
            guard let key = row.key, keys?.contains(key) ?? true, seen.insert(key).inserted else { continue }
            if row.due == nil { self.rows[row.id]?.due = now }
        }
    }

    /// Makes every row that has a due time due.
    mutating func makeDue(now: Timestamp) {
        for (id, row) in self.rows {
            if let due = row.due { self.rows[id]?.due = min(due, now) }
        }
    }
}
