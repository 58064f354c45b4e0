internal import CLibPQ

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The rows that a statement returned.
///
/// The rows stay in the memory in which they arrived and are decoded on demand, so a result that is only passed on costs nothing.
@safe public final class LibPQResult: Sendable {
    /// Immutable from here on: nothing but the accessors of libpq, which only read, touches what it points to.
    private nonisolated(unsafe) let pointer: OpaquePointer
    /// How many rows there are.
    package let rowCount: Int
    /// How many columns each row has.
    package let columnCount: Int

    init(_ handle: consuming ResultHandle) {
        unsafe pointer = handle.release()
        unsafe rowCount = Int(PQntuples(pointer))
        unsafe columnCount = Int(PQnfields(pointer))
    }

    deinit {
        unsafe PQclear(pointer)
    }

    /// The names of the columns, in order.
    package var columnNames: [String] {
        (0..<columnCount).map { unsafe String(cString: PQfname(pointer, CInt($0))) }
    }

    /// How many rows an `INSERT`, `UPDATE`, `DELETE`, `MERGE` or `COPY` has touched, or a `SELECT` returned; 0 for other statements.
    public var affectedRows: Int {
        unsafe Int(atoll(PQcmdTuples(pointer)))
    }

    /// The command tag, such as `INSERT 0 1`.
    package var commandTag: String {
        unsafe String(cString: PQcmdStatus(pointer))
    }

    /// The index of the column of this name; the first one if there are several.
    func columnIndex(named name: String) -> Int? {
        unsafe name.withCString { name in
            (0..<columnCount).first { unsafe strcmp(PQfname(pointer, CInt($0)), name) == 0 }
        }
    }

    /// The oid of the column's type.
    package func type(column: Int) -> UInt32 {
        unsafe PQftype(pointer, CInt(column))
    }
}

// MARK: Cells

extension LibPQResult {
    /// Lends the binary form of a value, which is empty for `NULL`.
    package func withBytes<R>(row: Int, column: Int, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        let length = length(row: row, column: column)
        let bytes = unsafe UnsafeRawBufferPointer(start: PQgetvalue(pointer, CInt(row), CInt(column)), count: length)
        return try unsafe body(bytes)
    }

    /// The binary form of a value where it lies, for as long as the result lives; empty for `NULL`.
    func bytes(row: Int, column: Int) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(
            start: PQgetvalue(pointer, CInt(row), CInt(column)), count: length(row: row, column: column))
    }

    /// Lets the processor fetch the beginnings of values from memory, and what lies around them, so that they are there when they are read.
    func prefetch(rows: some Sequence<Int>, column: Int) {
        // Where they are is looked up for several before the first is fetched: each look-up waits for memory as well, though not for the others.
        // The library keeps where a row's values are, a pointer and a length for each, right before the first. Where it does not, nothing is lost.
        let before = 16 * (self.columnCount + 1)
        var rows = rows.makeIterator()
        unsafe withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: 32) { values in
            while true {
                var count = 0
                while count < values.count, let row = rows.next() {
                    unsafe values.initializeElement(at: count, to: bytes(row: row, column: column))
                    count += 1
                }
                if count == 0 { return }
                for place in 0..<count {
                    let value = unsafe values[place]
                    guard let start = value.baseAddress else { continue }
                    for offset in stride(from: -before, through: Swift.min(value.count + 64, 1024), by: 64) {
                        unsafe outbox_prefetch(start + offset)
                    }
                }
            }
        }
    }

    /// The binary form of a value where it lies, for as long as the result lives; nil for `NULL`.
    func bytesUnlessNull(row: Int, column: Int) -> UnsafeRawBufferPointer? {
        let bytes = unsafe bytes(row: row, column: column)
        return unsafe bytes.isEmpty && isNull(row: row, column: column) ? nil : bytes
    }

    package func isNull(row: Int, column: Int) -> Bool {
        unsafe PQgetisnull(pointer, CInt(row), CInt(column)) != 0
    }

    /// The size of the binary form, in bytes; 0 for `NULL`.
    package func length(row: Int, column: Int) -> Int {
        unsafe Int(PQgetlength(pointer, CInt(row), CInt(column)))
    }

    /// Reads a value that is known to be a `bigint` and not `NULL`.
    package func int64(row: Int, column: Int) -> Int64 {
        integer(row: row, column: column)
    }

    /// Reads a value that is known to be an `integer` and not `NULL`.
    package func int32(row: Int, column: Int) -> Int32 {
        integer(row: row, column: column)
    }

    /// Reads a value that is known to be a `smallint` and not `NULL`.
    package func int16(row: Int, column: Int) -> Int16 {
        integer(row: row, column: column)
    }

    @inline(__always)
    private func integer<Integer: FixedWidthInteger>(row: Int, column: Int) -> Integer {
        assert(length(row: row, column: column) == MemoryLayout<Integer>.size)
        let value = unsafe UnsafeRawPointer(PQgetvalue(pointer, CInt(row), CInt(column))!)
        return unsafe Integer(bigEndian: value.loadUnaligned(as: Integer.self))
    }
}

// MARK: Rows

extension LibPQResult: RandomAccessCollection {
    /// The first row, 0.
    public var startIndex: Int { 0 }
    /// How many rows there are.
    public var endIndex: Int { rowCount }

    /// The row of that number, from 0.
    public subscript(position: Int) -> LibPQRow {
        precondition(position >= 0 && position < rowCount, "the result has no such row")
        return LibPQRow(result: self, index: position)
    }
}
