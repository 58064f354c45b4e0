#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A type that can be decoded from a column of a ``LibPQRow``.
///
/// Conform your own types by decoding one of those that conform already:
///
/// ```swift
/// extension OrderState: LibPQDecodable {
///     init(from row: LibPQRow, at column: Int) throws(LibPQError) {
///         self = OrderState(rawValue: try row.decode(column)) ?? .unknown
///     }
/// }
/// ```
public protocol LibPQDecodable {
    /// Decodes the column at `column`, counted from 0.
    ///
    /// - Throws: ``LibPQError/Code/decoding`` if there is no such column, or it is of another type or `NULL`.
    init(from row: LibPQRow, at column: Int) throws(LibPQError)
}

extension Bool: LibPQDecodable {
    /// From `boolean`.
    public init(from row: LibPQRow, at column: Int) throws(LibPQError) {
        self = try row.column(column).decode(from: PostgresType.bool) { $0.integer(UInt8.self).map { $0 != 0 } }
    }
}

extension Int16: LibPQDecodable {
    /// From `smallint`.
    public init(from row: LibPQRow, at column: Int) throws(LibPQError) {
        self = try row.column(column).decode(from: PostgresType.int2) { $0.integer(Int16.self) }
    }
}

extension Int32: LibPQDecodable {
    /// From `smallint` and `integer`.
    public init(from row: LibPQRow, at column: Int) throws(LibPQError) {
        let value = try row.column(column).decode(from: PostgresType.int2, PostgresType.int4) { $0.integerOfAnyWidth() }
        self = Int32(value)
    }
}

extension Int64: LibPQDecodable {
    /// From `smallint`, `integer`, `bigint`, `oid` and `xid8`.
    public init(from row: LibPQRow, at column: Int) throws(LibPQError) {
        let column = try row.column(column)
        if column.type == PostgresType.oid {
            self = try column.decode(from: PostgresType.oid) { $0.integer(UInt32.self).map(Int64.init) }
        } else {
            self = try column.decode(
                from: PostgresType.int2, PostgresType.int4, PostgresType.int8, PostgresType.xid8
            ) { $0.integerOfAnyWidth() }
        }
    }
}

extension Int: LibPQDecodable {
    /// From `smallint`, `integer`, `bigint`, `oid` and `xid8`.
    public init(from row: LibPQRow, at column: Int) throws(LibPQError) {
        self = Int(try Int64(from: row, at: column))
    }
}

extension Double: LibPQDecodable {
    /// From `real` and `double precision`.
    public init(from row: LibPQRow, at column: Int) throws(LibPQError) {
        self = try row.column(column).decode(from: PostgresType.float4, PostgresType.float8) { reader in
            reader.remaining == 4
                ? reader.integer(UInt32.self).map { Double(Float(bitPattern: $0)) }
                : reader.integer(UInt64.self).map(Double.init(bitPattern:))
        }
    }
}

extension String: LibPQDecodable {
    /// From the types of text, `json`, `jsonb`, and user-defined types whose binary form is text: enums, `citext`.
    public init(from row: LibPQRow, at column: Int) throws(LibPQError) {
        let column = try row.column(column)
        try column.requireValue(as: String.self)
        let type = column.type
        let decoded: String? =
            switch type {
            case PostgresType.jsonb:
                column.withReader { $0.integer(UInt8.self) == 1 ? $0.text(length: $0.remaining) : nil }
            case PostgresType.text, PostgresType.varchar, PostgresType.bpchar, PostgresType.name, PostgresType.char,
                PostgresType.json, PostgresType.xml, PostgresType.unknown, PostgresType.firstUserDefined...:
                column.withReader { $0.text(length: $0.remaining) }
            default: nil
            }
        guard let decoded else { throw column.mismatch(String.self) }
        self = decoded
    }
}

extension Date: LibPQDecodable {
    /// From `timestamptz`, and `timestamp` taken as UTC. `infinity` and `-infinity` become the distant future and past.
    public init(from row: LibPQRow, at column: Int) throws(LibPQError) {
        self = try row.column(column).decode(from: PostgresType.timestamptz, PostgresType.timestamp) { $0.timestamp() }
    }
}

extension UUID: LibPQDecodable {
    /// From `uuid`.
    public init(from row: LibPQRow, at column: Int) throws(LibPQError) {
        self = try row.column(column).decode(from: PostgresType.uuid) { $0.uuid() }
    }
}

extension Optional: LibPQDecodable where Wrapped: LibPQDecodable {
    /// `NULL` becomes `nil`.
    public init(from row: LibPQRow, at column: Int) throws(LibPQError) {
        self = try row.column(column).isNull ? nil : Wrapped(from: row, at: column)
    }
}

extension Array: LibPQDecodable where Element == UInt8 {
    /// From the binary form of any type, the content of a `bytea`.
    public init(from row: LibPQRow, at column: Int) throws(LibPQError) {
        self = try row.column(column).bytes()
    }
}

extension BinaryReader {
    fileprivate mutating func integerOfAnyWidth() -> Int64? {
        Int64(type: 0, length: remaining, from: &self)
    }
}
