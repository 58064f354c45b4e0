import Outbox

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A page of messages: a query's result as the server sent it, of which a value is decoded when it is asked for.
final class PostgresPage: LendingPage {
    let stream: StreamID
    let destination: Destination
    let origin: MessageOrigin
    let isVerified: Bool
    let byteCount: Int
    let count: Int
    /// Where the stream's cursor stands when the page is settled; for a page of the log.
    let cursor: Cursor?
    /// Which of the stream's cursors that one continues.
    let generation: Int32
    private let result: LibPQResult
    private let rows: PageRows

    /// The columns of the statements that read messages. After these, read_new has the destination, and read_due attempts, ordered
    /// and held.
    enum Column {
        static let id = 0
        static let slot = 1
        static let scheduled = 2
        static let payload = 3
        /// The first of those that are in the lists of ``MessageColumns``; from here on, ``MessageColumn`` says which they are.
        static let firstRead = 4
        static let createdAt = 4

        static func text(_ text: MessageText) -> Int { self.createdAt + 1 + text.rawValue }
    }

    /// Some rows of a result, looked at once.
    struct Extent {
        let rows: PageRows
        /// The sum of the lengths of payloads and headers.
        let byteCount: Int
        /// Whether the server has kept a payload back because it is long for its page.
        let hasWithheldPayload: Bool
        /// The last message's id.
        let lastID: Int64?

        /// - Parameter rows: nil: all.
        init(_ result: LibPQResult, _ rows: PageRows? = nil) {
            let rows = rows ?? PageRows(0..<result.rowCount)
            var byteCount = 0
            var hasWithheldPayload = false
            for row in rows {
                let length = result.length(row: row, column: Column.payload)
                byteCount += length + result.length(row: row, column: Column.text(.headers))
                if length == 0, result.isNull(row: row, column: Column.payload) { hasWithheldPayload = true }
            }
            self.rows = rows
            self.byteCount = byteCount
            self.hasWithheldPayload = hasWithheldPayload
            self.lastID = rows.isEmpty ? nil : result.int64(row: rows[rows.endIndex - 1], column: Column.id)
        }
    }

    init(
        _ result: LibPQResult, _ extent: Extent, stream: StreamID, destination: Destination, origin: MessageOrigin,
        isVerified: Bool, cursor: Cursor?, generation: Int32
    ) {
        self.result = result
        self.stream = stream
        self.destination = destination
        self.origin = origin
        self.isVerified = isVerified
        self.cursor = cursor
        self.generation = generation
        self.rows = extent.rows
        self.count = extent.rows.count
        self.byteCount = extent.byteCount
    }

    // MARK: - What read_new returns

    /// The log's oid, from the first row.
    static func logID(of result: LibPQResult) -> Int64? {
        result.isNull(row: 0, column: Column.id) ? nil : result.int64(row: 0, column: Column.id)
    }

    /// The snapshot that was read with, from the first row.
    static func snapshot(of result: LibPQResult) -> Cursor.Snapshot {
        unsafe result.withBytes(row: 0, column: Column.payload) { bytes in unsafe Array(bytes) }
    }

    /// A message's id.
    static func id(of result: LibPQResult, _ row: Int) -> Int64 { result.int64(row: row, column: Column.id) }

    /// A message's slot.
    static func slot(of result: LibPQResult, _ row: Int) -> Int16 { result.int16(row: row, column: Column.slot) }

    /// Which rows, without the first, are of which destination.
    static func destinations(of result: LibPQResult) -> [(name: String, rows: Range<Int>)] {
        var destinations: [(name: String, rows: Range<Int>)] = []
        let column = result.columnCount - 1
        for row in 1..<max(result.rowCount, 1) {
            unsafe result.withBytes(row: row, column: column) { bytes in
                if let last = destinations.last, unsafe last.name.utf8.elementsEqual(bytes) {
                    destinations[destinations.count - 1].rows = last.rows.lowerBound..<(row + 1)
                } else {
                    unsafe destinations.append((String(decoding: bytes, as: UTF8.self), row..<(row + 1)))
                }
            }
        }
        return destinations
    }

    // MARK: - A page's messages

    func id(at row: Int) -> Int64 { self.result.int64(row: self.rows[row], column: Column.id) }

    func slot(at row: Int) -> Int { Int(self.result.int16(row: self.rows[row], column: Column.slot)) }

    func createdAt(at row: Int) -> Date {
        PostgresTime.date(self.result.int64(row: self.rows[row], column: Column.createdAt))
    }

    func attempts(at row: Int) -> Int {
        self.origin == .log ? 0 : Int(self.result.int32(row: self.rows[row], column: self.result.columnCount - 3))
    }

    func isScheduled(at row: Int) -> Bool { self.bool(row, Column.scheduled) }

    func isHeld(at row: Int) -> Bool { self.origin == .deferred && self.bool(row, self.result.columnCount - 1) }

    func isOrdered(at row: Int) -> Bool { self.origin == .deferred && self.bool(row, self.result.columnCount - 2) }

    func text(_ text: MessageText, at row: Int) -> String? {
        self.text(column: Column.text(text), at: row, isJSON: text.isJSON)
    }

    func keyHash(at row: Int) -> UInt64? {
        let column = Column.text(.key)
        if self.result.isNull(row: self.rows[row], column: column) { return nil }
        return unsafe self.result.withBytes(row: self.rows[row], column: column) { bytes in
            unsafe KeyHash.of(bytes)
        }
    }

    func withPayload<Result>(at row: Int, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try unsafe self.result.withBytes(row: self.rows[row], column: Column.payload, body)
    }

    // A result's bytes stay where they are until it is cleared, with the page.
    func payloadInPlace(at row: Int) -> UnsafeRawBufferPointer? {
        unsafe self.result.withBytes(row: self.rows[row], column: Column.payload) { bytes in unsafe bytes }
    }

    func lend(_ messages: ArraySlice<Message>, _ extent: LentMessage.Extent, to lent: inout [LentMessage]) {
        // All are fetched first. What a lane has of a page lies far apart, and each message would be waited for by itself.
        // By their places, because a message that is copied counts a reference.
        let result = self.result
        result.prefetch(rows: messages.indices.lazy.map { self.rows[messages[$0].row] }, column: Column.payload)
        for place in messages.indices {
            let row = self.rows[messages[place].row]
            unsafe lent.append(
                LentMessage(
                    payload: result.bytes(row: row, column: Column.payload),
                    key: result.bytesUnlessNull(row: row, column: Column.text(.key)),
                    extent == .all ? Self.rest(of: result, row) : nil))
        }
    }

    private static func rest(of result: LibPQResult, _ row: Int) -> LentMessage.Rest {
        LentMessage.Rest(
            id: result.int64(row: row, column: Column.id),
            createdAt: PostgresTime.date(result.int64(row: row, column: Column.createdAt)),
            hasRoute: !result.isNull(row: row, column: Column.text(.route)),
            hasHeaders: !result.isNull(row: row, column: Column.text(.headers)))
    }

    // MARK: - Decoding

    private func bool(_ row: Int, _ column: Int) -> Bool {
        if self.result.isNull(row: self.rows[row], column: column) { return false }
        return unsafe self.result.withBytes(row: self.rows[row], column: column) { bytes in unsafe bytes.first == 1 }
    }

    /// A text, or a jsonb: one byte of version, then text.
    func text(column: Int, at row: Int, isJSON: Bool) -> String? {
        if self.result.isNull(row: self.rows[row], column: column) { return nil }
        return unsafe self.result.withBytes(row: self.rows[row], column: column) { bytes in
            unsafe String(decoding: bytes.dropFirst(isJSON ? 1 : 0), as: UTF8.self)
        }
    }
}
