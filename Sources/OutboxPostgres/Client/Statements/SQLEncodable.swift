#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A type whose values can be bound to a statement.
///
/// Conform your own types to use them in the interpolation of a ``SQLStatement``.
public protocol SQLEncodable {
    /// The value as the database is to see it.
    var sqlValue: SQLValue { get }
}

extension SQLValue: SQLEncodable {
    /// The value itself.
    public var sqlValue: SQLValue { self }
}

extension Bool: SQLEncodable {
    /// A `boolean`.
    public var sqlValue: SQLValue { .bool(self) }
}

extension Int: SQLEncodable {
    /// A `bigint`.
    public var sqlValue: SQLValue { .int8(Int64(self)) }
}

extension Int16: SQLEncodable {
    /// A `smallint`.
    public var sqlValue: SQLValue { .int2(self) }
}

extension Int32: SQLEncodable {
    /// An `integer`.
    public var sqlValue: SQLValue { .int4(self) }
}

extension Int64: SQLEncodable {
    /// A `bigint`.
    public var sqlValue: SQLValue { .int8(self) }
}

extension Double: SQLEncodable {
    /// A `double precision`.
    public var sqlValue: SQLValue { .float8(self) }
}

extension String: SQLEncodable {
    /// A `text`.
    public var sqlValue: SQLValue { .text(self) }
}

extension Date: SQLEncodable {
    /// A `timestamptz`.
    public var sqlValue: SQLValue { .timestamp(self) }
}

extension UUID: SQLEncodable {
    /// A `uuid`.
    public var sqlValue: SQLValue { .uuid(self) }
}

extension Optional: SQLEncodable where Wrapped: SQLEncodable {
    /// The wrapped value's, or `NULL`.
    public var sqlValue: SQLValue { self?.sqlValue ?? .null }
}

extension Array: SQLEncodable where Element: SQLArrayElement {
    /// A `bytea` for `[UInt8]`, an array of the element's type for the others.
    public var sqlValue: SQLValue { Element.sqlValue(of: self) }
}
