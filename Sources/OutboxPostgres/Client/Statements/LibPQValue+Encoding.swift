#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The binary formats of Postgres: network byte order; see each type's `send` and `recv` in the server's `utils/adt`.
extension LibPQValue {
    /// Appends the binary form. `NULL` has none; the caller has dealt with it.
    func encode(into buffer: inout [UInt8]) throws(LibPQError) {
        switch self {
        case .null: break
        case .bool(let value): buffer.append(value ? 1 : 0)
        case .int2(let value): buffer.append(bigEndian: value)
        case .int4(let value): buffer.append(bigEndian: value)
        case .int8(let value): buffer.append(bigEndian: value)
        case .float8(let value): buffer.append(bigEndian: value.bitPattern)
        case .text(let value): try buffer.append(text: value)
        case .bytes(let value): buffer.append(contentsOf: value)
        case .json(let value):
            buffer.append(1) // the version of jsonb's binary format
            try buffer.append(text: value)
        case .timestamp(let value):
            guard let microseconds = PostgresTime.microseconds(of: value) else {
                throw LibPQError(.invalidValue, "a date is outside of what a timestamp of Postgres can hold")
            }
            buffer.append(bigEndian: microseconds)
        case .uuid(let value): buffer.append(uuid: value)
        case .int4Array(let values):
            try buffer.append(arrayOf: PostgresType.int4, values.lazy.map(LibPQValue.int4))
        case .int8Array(let values):
            try buffer.append(arrayOf: PostgresType.int8, values.lazy.map(LibPQValue.int8))
        case .textArray(let values):
            try buffer.append(arrayOf: PostgresType.text, values.lazy.map(\.sqlValue))
        case .timestampArray(let values):
            try buffer.append(arrayOf: PostgresType.timestamptz, values.lazy.map(LibPQValue.timestamp))
        case .binary(_, let bytes): buffer.append(contentsOf: bytes)
        }
    }
}

extension [UInt8] {
    mutating func append(bigEndian value: some FixedWidthInteger) {
        unsafe Swift.withUnsafeBytes(of: value.bigEndian) { unsafe append(contentsOf: $0) }
    }

    fileprivate mutating func append(text value: String) throws(LibPQError) {
        var value = value
        let hasNull = value.withUTF8 { bytes in
            unsafe append(contentsOf: bytes)
            // All of them, eight or more at a time: four times as fast as looking for the first.
            return unsafe bytes.reduce(UInt8.max) { Swift.min($0, $1) } == 0
        }
        guard !hasNull else {
            throw LibPQError(
                .invalidValue, "a text has the character U+0000, which Postgres cannot store; send it as bytes")
        }
    }

    fileprivate mutating func append(uuid value: UUID) {
        unsafe Swift.withUnsafeBytes(of: value.uuid) { unsafe append(contentsOf: $0) }
    }

    /// Appends a value with its length before it, as it stands in an array and in a row of `COPY`; `NULL` has the length -1.
    mutating func append(field value: LibPQValue) throws(LibPQError) {
        if case .null = value { return append(bigEndian: Int32(-1)) }
        let start = count
        append(bigEndian: Int32(0))
        try value.encode(into: &self)
        guard let length = Int32(exactly: count - start - 4) else {
            throw LibPQError(.invalidValue, "a value is longer than the 2 GiB that the protocol allows")
        }
        self.replace(at: start, bigEndian: length)
    }

    /// Appends an array of one dimension (`array_send` in the server's `utils/adt/arrayfuncs.c`).
    mutating func append(
        arrayOf type: UInt32, _ elements: some Collection<LibPQValue>
    ) throws(LibPQError) {
        let start = count
        append(bigEndian: Int32(elements.isEmpty ? 0 : 1)) // dimensions
        append(bigEndian: Int32(0)) // whether there is a NULL
        append(bigEndian: type)
        if elements.isEmpty { return }
        append(bigEndian: Int32(truncatingIfNeeded: elements.count))
        append(bigEndian: Int32(1)) // the lower bound
        var hasNull = false
        for element in elements {
            if case .null = element { hasNull = true }
            try self.append(field: element)
        }
        if hasNull { self.replace(at: start + 4, bigEndian: Int32(1)) }
    }

    private mutating func replace(at index: Int, bigEndian value: Int32) {
        unsafe Swift.withUnsafeBytes(of: value.bigEndian) { bytes in
            for offset in bytes.indices { self[index + offset] = unsafe bytes[offset] }
        }
    }
}
