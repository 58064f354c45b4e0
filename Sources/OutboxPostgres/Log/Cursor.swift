/// Where a stream's reading stands: every message with `id <= position` that is visible in `snapshot` has been read.
///
/// A poll reads with a snapshot S' of its own: first what is *late* (passed by id, not visible in S), then what is
/// *fresh* (`id > position`). The cursor then is (S', the last fresh id). Nothing is missed however late it commits,
/// nothing is seen twice, and nothing waits for a transaction that is still open.
///
/// When the late part is longer than a page, S' is pinned and the late part is paged through by id (``catchup``); only
/// then the cursor becomes (S', position).
///
/// A value type without I/O.
struct Cursor: Sendable, Hashable {
    /// A `pg_snapshot` in its binary form, as Postgres gave it.
    typealias Snapshot = [UInt8]

    /// A late part that is being paged through.
    struct Catchup: Sendable, Hashable {
        /// The snapshot that its first page was read with.
        var snapshot: Snapshot
        /// The last id that was read of it.
        var position: Int64
        /// Whether nothing was read of it yet: it is known where it begins.
        var isUntouched = false
    }

    var snapshot: Snapshot
    var position: Int64
    /// What every late message's transaction number is below; nil: that of the newest snapshot.
    var horizon: UInt64?
    var catchup: Catchup?
    /// Whether every message that is visible in ``snapshot`` has been read, whatever its id. Then what is new for the stream is what has
    /// become visible since, fresh and late alike: it needs no look of its own. Not stored.
    var isComplete = false

    /// The horizon to be stored with the cursor; nil: the number of the transaction that stores it, above which nothing late for
    /// ``snapshot`` can be.
    ///
    /// While a late part is being paged through, that would be too high: what is late for ``snapshot`` ends where the pinned
    /// snapshot does, and what comes after that is late for the pinned one, and is read when its turn comes.
    var storedHorizon: UInt64? {
        guard let catchup else { return nil }
        return self.horizon ?? Self.maximum(of: catchup.snapshot)
    }

    /// The first transaction number that a snapshot knows nothing of, from its binary form: the count of running transactions in 4
    /// bytes, the lowest number that was running in 8, this one in 8, then the running ones.
    static func maximum(of snapshot: Snapshot) -> UInt64? {
        guard snapshot.count >= 20 else { return nil }
        return snapshot[12..<20].reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Whether transactions were running when a snapshot was taken, with numbers below its maximum.
    static func hasRunning(_ snapshot: Snapshot) -> Bool { snapshot.prefix(4).contains { $0 != 0 } }

    /// A snapshot as text: "xmin:xmax:", and the running ones with commas.
    static func text(of snapshot: Snapshot) -> String {
        func number(_ index: Int) -> UInt64 {
            snapshot.dropFirst(4 + 8 * index).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        }
        let count = snapshot.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        return "\(number(0)):\(number(1)):" + (0..<count).map { "\(number(2 + $0))" }.joined(separator: ",")
    }

    /// What a poll has to read.
    enum Read: Hashable {
        case lateAndFresh
        case catchup(Catchup)
    }

    /// What the next poll has to read.
    var read: Read { self.catchup.map(Read.catchup) ?? .lateAndFresh }

    /// A part of a poll's answer: the last id of it, nil if it is empty, and whether there may be more.
    struct Part: Hashable {
        var lastID: Int64?
        var isFull: Bool
    }

    /// The cursors behind the late and behind the fresh part of a poll with the snapshot `current`; nil for a part that
    /// must be dropped, because an earlier one is not complete.
    func after(late: Part, fresh: Part, current: Snapshot) -> (late: Cursor, fresh: Cursor?) {
        if late.isFull, let lastID = late.lastID {
            var paging = self
            paging.catchup = Catchup(snapshot: current, position: lastID)
            return (paging, nil)
        }
        let afterLate = Cursor(snapshot: current, position: self.position)
        var afterFresh = Cursor(snapshot: current, position: fresh.lastID ?? self.position)
        afterFresh.isComplete = !fresh.isFull
        return (afterLate, afterFresh)
    }

    /// The cursors behind the late and behind the fresh part of all that has become visible between a complete cursor's snapshot and
    /// `current`.
    func after(lastNew: Int64, current: Snapshot) -> (late: Cursor, fresh: Cursor) {
        var afterFresh = Cursor(snapshot: current, position: max(self.position, lastNew))
        afterFresh.isComplete = true
        return (Cursor(snapshot: current, position: self.position), afterFresh)
    }

    /// The cursor when nothing was read, but it is known which id is the lowest of all that has become visible between
    /// ``newestSnapshot`` and `current`; nil: there is nothing. What is late then has still to be read, and begins there.
    ///
    /// - Returns: nil where so much was passed since that id that walking over it may take longer than looking for what is late by
    ///   transaction numbers.
    func after(lowestNew: Int64?, current: Snapshot) -> Cursor? {
        var cursor = self
        if lowestNew != nil { cursor.isComplete = false }
        if let lowestNew, lowestNew <= self.position {
            if self.position - lowestNew > Self.longestWalk { return nil }
            let known = self.catchup?.position ?? self.position
            cursor.catchup = Catchup(snapshot: current, position: min(lowestNew - 1, known), isUntouched: true)
        } else if self.catchup != nil {
            cursor.catchup?.snapshot = current
        } else {
            cursor.snapshot = current
        }
        return cursor
    }

    private static let longestWalk: Int64 = 100_000

    /// Whether it can be found out by the lowest new id what there is to read: no late part is half read, and it is not a stored
    /// cursor, of which it is known without that.
    var canBeBroughtForward: Bool { self.horizon == nil && self.catchup?.isUntouched != false }

    /// The snapshot that all is known of, read or not.
    var newestSnapshot: Snapshot { self.catchup?.snapshot ?? self.snapshot }

    /// The cursor behind a further page of the late part.
    func after(catchup part: Part, of catchup: Catchup) -> Cursor {
        if part.isFull, let lastID = part.lastID {
            var paging = self
            paging.catchup = Catchup(snapshot: catchup.snapshot, position: lastID)
            return paging
        }
        return Cursor(snapshot: catchup.snapshot, position: self.position)
    }
}
