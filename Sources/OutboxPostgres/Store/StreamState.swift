import Outbox

/// What a session knows of a stream.
struct StreamState {
    /// What a stream has that is its destination's only one.
    static let allSlots: ClosedRange<Int16> = 0...1023

    let id: StreamID
    let destination: Destination
    /// Messages with one of these are the stream's.
    let slots: ClosedRange<Int16>
    /// Where reading stands; the stored cursor is behind it.
    var cursor: Cursor
    /// The place of the stream's row.
    var place: [UInt8]
    /// How many pages are still read by the statement that bounds their bytes: long payloads come together.
    var boundedPages = 0
    /// Whether it could not be found out where its late part begins.
    var isFarBehind = false
    /// What is to be looked at by ids before it is committed.
    var unchecked: ReadByNumbers?
    /// Which of the stream's cursors it is: another one after another session has moved it.
    var generation: Int32
    var isPaused: Bool
    /// What was noted of earlier processes.
    let start: StreamStart
}

extension StreamState {
    /// Whether ranges of slots have all of them; some may be in two.
    static func coverAllSlots(_ ranges: [ClosedRange<Int16>]) -> Bool {
        var next = 0
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where Int(range.lowerBound) <= next {
            next = max(next, Int(range.upperBound) + 1)
        }
        return next > self.allSlots.upperBound
    }

    /// The lowest and the highest slot, two parameters of a statement.
    var slotBinds: [LibPQValue] { [.int2(self.slots.lowerBound), .int2(self.slots.upperBound)] }

    /// Reads a row of the statement `load`.
    init(_ row: LibPQRow) throws(LibPQError) {
        self.id = StreamID(try row.decode(0, as: Int32.self))
        self.destination = Destination(try row.decode(1, as: String.self))
        let low = try row.decode(2, as: Int16.self)
        self.slots = low...max(low, try row.decode(3, as: Int16.self))
        var cursor = Cursor(snapshot: row.bytes(4) ?? [], position: try row.decode(5, as: Int64.self))
        cursor.horizon = row.bytes(6).map { bytes in bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        if let snapshot = row.bytes(7) {
            cursor.catchup = Cursor.Catchup(snapshot: snapshot, position: try row.decode(8, as: Int64.self))
        }
        self.cursor = cursor
        self.place = row.bytes(9) ?? []
        self.isPaused = try row.decode(10)
        self.generation = try row.decode(11)
        self.start = StreamStart(
            count: Int(try row.decode(12, as: Int32.self)), suspect: try row.decode(13, as: Int64?.self),
            suspectAttempts: Int(try row.decode(14, as: Int32.self)))
    }
}

extension LibPQValue {
    /// The lowest and the highest slots of some streams, two parameters.
    static func slots(_ streams: [StreamState]) -> [LibPQValue] {
        [
            .int4Array(streams.map { Int32($0.slots.lowerBound) }),
            .int4Array(streams.map { Int32($0.slots.upperBound) }),
        ]
    }
}

// MARK: - What was read by transaction numbers

extension StreamState {
    /// What was read by transaction numbers alone and is not committed yet, so that it has still to be looked at by ids.
    struct ReadByNumbers {
        /// All that is visible in it, and above ``position`` by its id, was read before.
        var snapshot: Cursor.Snapshot
        var position: Int64
        /// The last id of it.
        var end: Int64
    }

    /// A page was read by transaction numbers alone, from a cursor on.
    mutating func readByNumbers(to end: Int64, from cursor: Cursor) {
        if end <= cursor.position { return }
        if self.unchecked == nil {
            self.unchecked = ReadByNumbers(snapshot: cursor.snapshot, position: cursor.position, end: end)
        }
        self.unchecked?.end = end
    }

    /// What is to be looked at by ids before a cursor is stored; nil: nothing.
    func unchecked(before cursor: Cursor) -> ReadByNumbers? {
        guard var part = self.unchecked, cursor.position > part.position else { return nil }
        part.end = min(part.end, cursor.position)
        return part
    }

    /// A cursor was stored.
    mutating func stored(_ cursor: Cursor) {
        guard let part = self.unchecked, cursor.position > part.position else { return }
        if cursor.position >= part.end {
            self.unchecked = nil
        } else {
            self.unchecked?.position = cursor.position
            if cursor.isComplete { self.unchecked?.snapshot = cursor.snapshot }
        }
    }
}
