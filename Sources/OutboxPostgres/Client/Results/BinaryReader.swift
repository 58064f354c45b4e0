#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Reads the binary formats of Postgres from memory that it is lent. Every read checks the bounds.
@safe struct BinaryReader: ~Copyable {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = unsafe bytes
    }

    var isAtEnd: Bool { unsafe offset == bytes.count }
    var remaining: Int { unsafe bytes.count - offset }

    mutating func integer<Integer: FixedWidthInteger>(_: Integer.Type) -> Integer? {
        let size = MemoryLayout<Integer>.size
        guard remaining >= size else { return nil }
        defer { offset += size }
        return unsafe Integer(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Integer.self))
    }

    mutating func text(length: Int) -> String? {
        guard length >= 0, remaining >= length else { return nil }
        defer { offset += length }
        return unsafe String(validating: bytes[offset..<offset + length], as: UTF8.self)
    }

    mutating func uuid() -> UUID? {
        guard remaining >= 16 else { return nil }
        defer { offset += 16 }
        return unsafe UUID(uuid: bytes.loadUnaligned(fromByteOffset: offset, as: uuid_t.self))
    }

    /// See ``PostgresTime``.
    mutating func timestamp() -> Date? {
        integer(Int64.self).map(PostgresTime.date)
    }

    mutating func array<Element: LibPQElementDecodable>(as: Element.Type) -> [Element]? {
        guard let dimensions = integer(Int32.self), integer(Int32.self) != nil, let type = integer(UInt32.self) else {
            return nil
        }
        if dimensions == 0 { return [] }
        guard dimensions == 1, let count = integer(Int32.self), count >= 0, integer(Int32.self) != nil,
            remaining >= Int(count) * 4
        else { return nil }
        var elements: [Element] = []
        elements.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let length = integer(Int32.self), let element = Element(type: type, length: Int(length), from: &self)
            else { return nil }
            elements.append(element)
        }
        return isAtEnd ? elements : nil
    }
}

/// A type that can be an element of a Postgres array.
protocol LibPQElementDecodable {
    /// - Parameter length: -1 for `NULL`.
    init?(type: UInt32, length: Int, from reader: inout BinaryReader)
}

extension Int64: LibPQElementDecodable {
    init?(type: UInt32, length: Int, from reader: inout BinaryReader) {
        let value: Int64? =
            switch length {
            case 2: reader.integer(Int16.self).map(Int64.init)
            case 4: reader.integer(Int32.self).map(Int64.init)
            case 8: reader.integer(Int64.self)
            default: nil
            }
        guard let value else { return nil }
        self = value
    }
}

extension Int32: LibPQElementDecodable {
    init?(type: UInt32, length: Int, from reader: inout BinaryReader) {
        guard length <= 4, let value = Int64(type: type, length: length, from: &reader) else { return nil }
        self = Int32(value)
    }
}

extension String: LibPQElementDecodable {
    init?(type: UInt32, length: Int, from reader: inout BinaryReader) {
        guard let value = reader.text(length: length) else { return nil }
        self = value
    }
}

extension Date: LibPQElementDecodable {
    init?(type: UInt32, length: Int, from reader: inout BinaryReader) {
        guard length == 8, let value = reader.timestamp() else { return nil }
        self = value
    }
}

extension Optional: LibPQElementDecodable where Wrapped: LibPQElementDecodable {
    init?(type: UInt32, length: Int, from reader: inout BinaryReader) {
        if length == -1 {
            self = Optional<Wrapped>.none
            return
        }
        guard let value = Wrapped(type: type, length: length, from: &reader) else { return nil }
        self = Optional<Wrapped>(value)
    }
}
