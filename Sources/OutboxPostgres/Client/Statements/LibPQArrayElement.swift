#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A type of which an array is one value to the database. Arrays of bytes are a value of their own.
package protocol LibPQArrayElement {
    /// The array as the database is to see it.
    static func sqlValue(of array: [Self]) -> LibPQValue
    /// The array that a column holds.
    ///
    /// - Throws: ``LibPQError/Code/decoding`` if the column is of another type.
    static func array(from column: LibPQColumn) throws(LibPQError) -> [Self]
}

extension Int32: LibPQArrayElement {
    /// An `integer[]`.
    package static func sqlValue(of array: [Int32]) -> LibPQValue { .int4Array(array) }
    /// From `smallint[]` and `integer[]`.
    package static func array(from column: LibPQColumn) throws(LibPQError) -> [Int32] {
        try column.array(as: Int32.self, from: [PostgresType.int2Array, PostgresType.int4Array])
    }
}

extension Int64: LibPQArrayElement {
    /// A `bigint[]`.
    package static func sqlValue(of array: [Int64]) -> LibPQValue { .int8Array(array) }
    /// From `smallint[]`, `integer[]` and `bigint[]`.
    package static func array(from column: LibPQColumn) throws(LibPQError) -> [Int64] {
        try column.array(
            as: Int64.self, from: [PostgresType.int2Array, PostgresType.int4Array, PostgresType.int8Array])
    }
}

extension Int: LibPQArrayElement {
    /// A `bigint[]`.
    package static func sqlValue(of array: [Int]) -> LibPQValue { .int8Array(array.map(Int64.init)) }
    /// From `smallint[]`, `integer[]` and `bigint[]`.
    package static func array(from column: LibPQColumn) throws(LibPQError) -> [Int] {
        try Int64.array(from: column).map(Int.init)
    }
}

extension String: LibPQArrayElement {
    /// A `text[]`.
    package static func sqlValue(of array: [String]) -> LibPQValue { .textArray(array) }
    /// From arrays of a type of text, without `NULL`.
    package static func array(from column: LibPQColumn) throws(LibPQError) -> [String] {
        try column.array(as: String.self, from: PostgresType.textArrays)
    }
}

extension Date: LibPQArrayElement {
    /// A `timestamptz[]`.
    package static func sqlValue(of array: [Date]) -> LibPQValue { .timestampArray(array) }
    /// From `timestamptz[]`.
    package static func array(from column: LibPQColumn) throws(LibPQError) -> [Date] {
        try column.array(as: Date.self, from: [PostgresType.timestamptzArray])
    }
}

/// Only texts can be `NULL` in an array.
extension Optional: LibPQArrayElement where Wrapped == String {
    /// A `text[]` whose elements may be `NULL`.
    package static func sqlValue(of array: [String?]) -> LibPQValue { .textArray(array) }
    /// From arrays of a type of text.
    package static func array(from column: LibPQColumn) throws(LibPQError) -> [String?] {
        try column.array(as: String?.self, from: PostgresType.textArrays)
    }
}

extension PostgresType {
    fileprivate static let textArrays = [textArray, varcharArray, nameArray]
}
