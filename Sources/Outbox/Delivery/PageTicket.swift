import Synchronization

/// A page on its way through the lanes: which rows each lane has, and what became of them.
package final class PageTicket: Sendable {
    /// What became of a row that was not simply delivered.
    package enum Verdict: Sendable, Hashable {
        case deferred(Deferral)
        /// It is deferred while its handler goes on, and what becomes of it changes the deferred message.
        case parked(Deferral)
        case dead(Death)
        /// It stays in the store as it is: an earlier message of its key has failed.
        case untouched

        /// How it waits in `deferred`, if it is put there or changed there.
        package var deferral: Deferral? {
            switch self {
            case .deferred(let deferral), .parked(let deferral): deferral
            case .dead, .untouched: nil
            }
        }
    }

    /// A row and its verdict.
    package struct Exception: Sendable, Hashable {
        package let row: Int
        package let verdict: Verdict
        /// The hash of the key whose gate was closed for it.
        package let blocked: UInt64?
    }

    package let page: any MessagePage
    /// The page's number among those of its stream and origin.
    package let sequence: Int
    /// How often the process has ended while the page's only message was delivered; 0 where that is not known.
    package let crashes: Int
    /// Asked before each call of the handler while one message at a time is delivered; nil: the handler is called at once.
    let calls: WatchedCalls?
    /// Since when it can be delivered.
    let submittedAt: ContinuousClock.Instant
    /// All rows, those of one lane together and in order.
    package let rows: [Int32]
    /// Where each lane's rows begin in `rows`; one more entry than lanes.
    package let starts: [Int32]

    private let unsettled: Atomic<Int>
    private let notes = Mutex(Notes())

    private struct Notes {
        var exceptions: [Exception] = []
        var failedKeys: Set<UInt64> = []
    }

    package init(
        page: any MessagePage, sequence: Int, lanes: Int, crashes: Int = 0, calls: WatchedCalls? = nil,
        submittedAt: ContinuousClock.Instant = .now
    ) {
        self.submittedAt = submittedAt
        self.page = page
        self.sequence = sequence
        self.crashes = crashes
        self.calls = calls
        self.unsettled = Atomic(page.count)
        (self.rows, self.starts) = Self.sort(page, lanes: lanes)
    }

    /// Counting sort of the rows by lane.
    private static func sort(_ page: any MessagePage, lanes: Int) -> (rows: [Int32], starts: [Int32]) {
        let count = page.count
        var starts = [Int32](repeating: 0, count: lanes + 1)
        let laneOfRow = (0..<count).map { row in
            let lane = page.slot(at: row) % lanes
            starts[lane + 1] += 1
            return lane
        }
        for lane in 0..<lanes { starts[lane + 1] += starts[lane] }
        var next = starts
        var rows = [Int32](repeating: 0, count: count)
        for row in 0..<count {
            rows[Int(next[laneOfRow[row]])] = Int32(row)
            next[laneOfRow[row]] += 1
        }
        return (rows, starts)
    }

    /// Notes the end of some of the rows.
    ///
    /// - Returns: Whether the whole page is settled now.
    package func settle(count: Int, exceptions: [Exception]) -> Bool {
        if !exceptions.isEmpty {
            self.notes.withLock { $0.exceptions += exceptions }
        }
        return self.unsettled.subtract(count, ordering: .acquiringAndReleasing).newValue == 0
    }

    /// A message of that key has failed: the later ones of this page must not be tried.
    package func fail(key: UInt64) {
        self.notes.withLock { _ = $0.failedKeys.insert(key) }
    }

    /// Whether a message of that key has failed in this page.
    package func hasFailed(key: UInt64) -> Bool {
        self.notes.withLock { $0.failedKeys.contains(key) }
    }

    /// The rows that were not simply delivered, in order. Complete when the page is settled.
    package var exceptions: [Exception] {
        self.notes.withLock { $0.exceptions }.sorted { $0.row < $1.row }
    }
}
