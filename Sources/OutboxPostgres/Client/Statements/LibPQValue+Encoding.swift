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
        case .timestamp(let value): buffer.append(bigEndian: try Self.microseconds(of: value))
        case .uuid(let value): buffer.append(uuid: value)
        case .int4Array(let values):
            buffer.append(arrayHeader: PostgresType.int4, count: values.count)
            for value in values {
                buffer.append(bigEndian: Int32(4))
                buffer.append(bigEndian: value)
            }
        case .int8Array(let values):
            buffer.append(arrayHeader: PostgresType.int8, count: values.count)
            for value in values {
                buffer.append(bigEndian: Int32(8))
                buffer.append(bigEndian: value)
            }
        case .textArray(let values):
            buffer.append(
                arrayHeader: PostgresType.text, count: values.count, hasNull: values.contains { $0 == nil })
            for value in values {
                guard let value else {
                    buffer.append(bigEndian: Int32(-1))
                    continue
                }
                buffer.append(bigEndian: Int32(truncatingIfNeeded: value.utf8.count))
                try buffer.append(text: value)
            }
        case .timestampArray(let values):
            buffer.append(arrayHeader: PostgresType.timestamptz, count: values.count)
            for value in values {
                buffer.append(bigEndian: Int32(8))
                buffer.append(bigEndian: try Self.microseconds(of: value))
            }
        case .binary(_, let bytes): buffer.append(contentsOf: bytes)
        }
    }

    /// From 2000-01-01, where Postgres starts to count, to 2001-01-01, where `Date` does.
    static let secondsBetweenEpochs: Double = 366 * 86_400

    private static func microseconds(of date: Date) throws(LibPQError) -> Int64 {
        let microseconds = ((date.timeIntervalSinceReferenceDate + secondsBetweenEpochs) * 1_000_000).rounded()
        guard let value = Int64(exactly: microseconds) else {
            throw LibPQError(.invalidValue, "a date is outside of what a timestamp of Postgres can hold")
        }
        return value
    }
}

extension [UInt8] {
    mutating func append(bigEndian value: some FixedWidthInteger) {
        unsafe Swift.withUnsafeBytes(of: value.bigEndian) { unsafe append(contentsOf: $0) }
    }

    fileprivate mutating func append(text value: String) throws(LibPQError) {
        let start = count
        append(contentsOf: value.utf8)
        guard !self[start...].contains(0) else {
            throw LibPQError(
                .invalidValue, "a text has the character U+0000, which Postgres cannot store; send it as bytes")
        }
    }

    fileprivate mutating func append(uuid value: UUID) {
        unsafe Swift.withUnsafeBytes(of: value.uuid) { unsafe append(contentsOf: $0) }
    }

    fileprivate mutating func append(arrayHeader type: UInt32, count: Int, hasNull: Bool = false) {
        append(bigEndian: Int32(count == 0 ? 0 : 1)) // dimensions
        append(bigEndian: Int32(hasNull ? 1 : 0))
        append(bigEndian: type)
        guard count > 0 else { return }
        append(bigEndian: Int32(truncatingIfNeeded: count))
        append(bigEndian: Int32(1)) // the lower bound
    }
}
