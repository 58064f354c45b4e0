#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A type that can be decoded from a column of a ``Row``.
public protocol SQLDecodable {
    /// Decodes `column`.
    ///
    /// - Throws: ``PostgresError/Code/decoding`` if the column is of another type or `NULL`.
    init(from column: SQLColumn) throws(PostgresError)
}

extension Bool: SQLDecodable {
    /// From `boolean`.
    public init(from column: SQLColumn) throws(PostgresError) {
        self = try column.decode(from: PostgresType.bool) { $0.integer(UInt8.self).map { $0 != 0 } }
    }
}

extension Int16: SQLDecodable {
    /// From `smallint`.
    public init(from column: SQLColumn) throws(PostgresError) {
        self = try column.decode(from: PostgresType.int2) { $0.integer(Int16.self) }
    }
}

extension Int32: SQLDecodable {
    /// From `smallint` and `integer`.
    public init(from column: SQLColumn) throws(PostgresError) {
        let value = try column.decode(from: PostgresType.int2, PostgresType.int4) { $0.integerOfAnyWidth() }
        self = Int32(value)
    }
}

extension Int64: SQLDecodable {
    /// From `smallint`, `integer`, `bigint`, `oid` and `xid8`.
    public init(from column: SQLColumn) throws(PostgresError) {
        if column.type == PostgresType.oid {
            self = try column.decode(from: PostgresType.oid) { $0.integer(UInt32.self).map(Int64.init) }
        } else {
            self = try column.decode(
                from: PostgresType.int2, PostgresType.int4, PostgresType.int8, PostgresType.xid8
            ) { $0.integerOfAnyWidth() }
        }
    }
}

extension Int: SQLDecodable {
    /// From `smallint`, `integer`, `bigint`, `oid` and `xid8`.
    public init(from column: SQLColumn) throws(PostgresError) {
        self = Int(try Int64(from: column))
    }
}

extension Double: SQLDecodable {
    /// From `real` and `double precision`.
    public init(from column: SQLColumn) throws(PostgresError) {
        self = try column.decode(from: PostgresType.float4, PostgresType.float8) { reader in
            reader.remaining == 4
                ? reader.integer(UInt32.self).map { Double(Float(bitPattern: $0)) }
                : reader.integer(UInt64.self).map(Double.init(bitPattern:))
        }
    }
}

extension String: SQLDecodable {
    /// From the types of text, `json`, `jsonb`, and types that somebody created whose binary form is text: enums, `citext`.
    public init(from column: SQLColumn) throws(PostgresError) {
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

extension Date: SQLDecodable {
    /// From `timestamptz`, and `timestamp` taken as UTC. `infinity` and `-infinity` become the distant future and past.
    public init(from column: SQLColumn) throws(PostgresError) {
        self = try column.decode(from: PostgresType.timestamptz, PostgresType.timestamp) { $0.timestamp() }
    }
}

extension UUID: SQLDecodable {
    /// From `uuid`.
    public init(from column: SQLColumn) throws(PostgresError) {
        self = try column.decode(from: PostgresType.uuid) { $0.uuid() }
    }
}

extension Optional: SQLDecodable where Wrapped: SQLDecodable {
    /// `NULL` becomes `nil`.
    public init(from column: SQLColumn) throws(PostgresError) {
        self = column.isNull ? nil : try Wrapped(from: column)
    }
}

extension Array: SQLDecodable where Element: SQLArrayElement {
    /// From an array of one dimension; `[UInt8]` is the binary form of any type, the content of a `bytea`.
    public init(from column: SQLColumn) throws(PostgresError) {
        self = try Element.array(from: column)
    }
}

extension BinaryReader {
    fileprivate mutating func integerOfAnyWidth() -> Int64? {
        Int64(type: 0, length: remaining, from: &self)
    }
}
