#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A type of which an array is one value to the database.
public protocol SQLArrayElement {
    /// The array as the database is to see it.
    static func sqlValue(of array: [Self]) -> SQLValue
    /// The array that a column holds.
    ///
    /// - Throws: ``PostgresError/Code/decoding`` if the column is of another type.
    static func array(from column: SQLColumn) throws(PostgresError) -> [Self]
}

extension UInt8: SQLArrayElement {
    /// A `bytea`.
    public static func sqlValue(of array: [UInt8]) -> SQLValue { .bytes(array) }
    /// From `bytea`.
    public static func array(from column: SQLColumn) throws(PostgresError) -> [UInt8] { try column.bytes() }
}

extension Int32: SQLArrayElement {
    /// An `integer[]`.
    public static func sqlValue(of array: [Int32]) -> SQLValue { .int4Array(array) }
    /// From `smallint[]` and `integer[]`.
    public static func array(from column: SQLColumn) throws(PostgresError) -> [Int32] {
        try column.array(as: Int32.self, from: [PostgresType.int2Array, PostgresType.int4Array])
    }
}

extension Int64: SQLArrayElement {
    /// A `bigint[]`.
    public static func sqlValue(of array: [Int64]) -> SQLValue { .int8Array(array) }
    /// From `smallint[]`, `integer[]` and `bigint[]`.
    public static func array(from column: SQLColumn) throws(PostgresError) -> [Int64] {
        try column.array(
            as: Int64.self, from: [PostgresType.int2Array, PostgresType.int4Array, PostgresType.int8Array])
    }
}

extension Int: SQLArrayElement {
    /// A `bigint[]`.
    public static func sqlValue(of array: [Int]) -> SQLValue { .int8Array(array.map(Int64.init)) }
    /// From `smallint[]`, `integer[]` and `bigint[]`.
    public static func array(from column: SQLColumn) throws(PostgresError) -> [Int] {
        try Int64.array(from: column).map(Int.init)
    }
}

extension String: SQLArrayElement {
    /// A `text[]`.
    public static func sqlValue(of array: [String]) -> SQLValue { .textArray(array) }
    /// From arrays of a type of text, without `NULL`.
    public static func array(from column: SQLColumn) throws(PostgresError) -> [String] {
        try column.array(as: String.self, from: PostgresType.textArrays)
    }
}

extension Date: SQLArrayElement {
    /// A `timestamptz[]`.
    public static func sqlValue(of array: [Date]) -> SQLValue { .timestampArray(array) }
    /// From `timestamptz[]`.
    public static func array(from column: SQLColumn) throws(PostgresError) -> [Date] {
        try column.array(as: Date.self, from: [PostgresType.timestamptzArray])
    }
}

/// Only texts can be `NULL` in an array.
extension Optional: SQLArrayElement where Wrapped == String {
    /// A `text[]` whose elements may be `NULL`.
    public static func sqlValue(of array: [String?]) -> SQLValue { .textArray(array) }
    /// From arrays of a type of text.
    public static func array(from column: SQLColumn) throws(PostgresError) -> [String?] {
        try column.array(as: String?.self, from: PostgresType.textArrays)
    }
}

extension PostgresType {
    fileprivate static let textArrays = [textArray, varcharArray, nameArray]
}
