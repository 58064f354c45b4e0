#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A value for a statement, with its type in the database. It travels in binary form and never becomes part of the text.
public enum LibPQValue: Sendable, Hashable {
    /// `NULL`, of whatever type the statement wants there.
    case null
    /// `boolean`
    case bool(Bool)
    /// `smallint`
    case int2(Int16)
    /// `integer`
    case int4(Int32)
    /// `bigint`
    case int8(Int64)
    /// `double precision`
    case float8(Double)
    /// `text`. Postgres cannot store the character U+0000; a string that has it is refused before anything is sent.
    case text(String)
    /// `bytea`
    case bytes([UInt8])
    /// `jsonb`, from its text. The server checks that it is JSON.
    case json(String)
    /// `timestamptz`, in microseconds; what is finer is rounded.
    case timestamp(Date)
    /// `uuid`
    case uuid(UUID)
    /// `integer[]`
    case int4Array([Int32])
    /// `bigint[]`
    case int8Array([Int64])
    /// `text[]`, whose elements may be `NULL`.
    case textArray([String?])
    /// `timestamptz[]`
    case timestampArray([Date])
    /// A value of any other type: its oid and its binary form, as the type's `recv` function wants it.
    case binary(type: UInt32, [UInt8])

    /// The oid of the type; 0 where the server chooses.
    var type: UInt32 {
        switch self {
        case .null: 0
        case .bool: PostgresType.bool
        case .int2: PostgresType.int2
        case .int4: PostgresType.int4
        case .int8: PostgresType.int8
        case .float8: PostgresType.float8
        case .text: PostgresType.text
        case .bytes: PostgresType.bytea
        case .json: PostgresType.jsonb
        case .timestamp: PostgresType.timestamptz
        case .uuid: PostgresType.uuid
        case .int4Array: PostgresType.int4Array
        case .int8Array: PostgresType.int8Array
        case .textArray: PostgresType.textArray
        case .timestampArray: PostgresType.timestamptzArray
        case .binary(let type, _): type
        }
    }
}
