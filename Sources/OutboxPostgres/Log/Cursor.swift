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
    }

    var snapshot: Snapshot
    var position: Int64
    /// What every late message's transaction number is below; nil: that of the newest snapshot.
    var horizon: UInt64?
    var catchup: Catchup?

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
        return (afterLate, Cursor(snapshot: current, position: fresh.lastID ?? self.position))
    }

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
