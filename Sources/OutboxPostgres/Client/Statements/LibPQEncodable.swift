#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A type whose values can be bound to a statement.
///
/// Conform your own types to use them in the interpolation of a ``LibPQStatement``.
public protocol LibPQEncodable {
    /// The value as the database is to see it.
    var sqlValue: LibPQValue { get }
}

extension LibPQValue: LibPQEncodable {
    /// The value itself.
    public var sqlValue: LibPQValue { self }
}

extension Bool: LibPQEncodable {
    /// A `boolean`.
    public var sqlValue: LibPQValue { .bool(self) }
}

extension Int: LibPQEncodable {
    /// A `bigint`.
    public var sqlValue: LibPQValue { .int8(Int64(self)) }
}

extension Int16: LibPQEncodable {
    /// A `smallint`.
    public var sqlValue: LibPQValue { .int2(self) }
}

extension Int32: LibPQEncodable {
    /// An `integer`.
    public var sqlValue: LibPQValue { .int4(self) }
}

extension Int64: LibPQEncodable {
    /// A `bigint`.
    public var sqlValue: LibPQValue { .int8(self) }
}

extension Double: LibPQEncodable {
    /// A `double precision`.
    public var sqlValue: LibPQValue { .float8(self) }
}

extension String: LibPQEncodable {
    /// A `text`.
    public var sqlValue: LibPQValue { .text(self) }
}

extension Date: LibPQEncodable {
    /// A `timestamptz`.
    public var sqlValue: LibPQValue { .timestamp(self) }
}

extension UUID: LibPQEncodable {
    /// A `uuid`.
    public var sqlValue: LibPQValue { .uuid(self) }
}

extension Optional: LibPQEncodable where Wrapped: LibPQEncodable {
    /// The wrapped value's, or `NULL`.
    public var sqlValue: LibPQValue { self?.sqlValue ?? .null }
}

extension Array: LibPQEncodable where Element == UInt8 {
    /// A `bytea`.
    public var sqlValue: LibPQValue { .bytes(self) }
}
