/// Reads the fields of a message of protocol buffers, one after the other.
///
/// What was sent by another program is not trusted: a length that leads out of the message, or a number that is too long, ends it.
struct ProtobufReader {
    enum WireType: UInt8 {
        case varint = 0
        case fixed64 = 1
        case lengthDelimited = 2
        case fixed32 = 5
    }

    /// A field's content.
    enum Value: Equatable {
        case number(UInt64)
        case bytes(ArraySlice<UInt8>)

        /// The text, if it is one.
        var text: String? {
            if case .bytes(let bytes) = self { String(validating: bytes, as: UTF8.self) } else { nil }
        }

        /// Whether it is a text.
        var isText: Bool {
            guard case .bytes(let bytes) = self else { return false }
            return bytes.allSatisfy { $0 < 0x80 } || self.text != nil
        }
    }

    /// The bytes are no message.
    struct Malformed: Error, Hashable {}

    private let message: ArraySlice<UInt8>
    /// Where what is not read yet begins.
    private var index: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.message = bytes
        self.index = bytes.startIndex
    }

    /// How many bytes are not read yet.
    private var restCount: Int { self.message.endIndex - self.index }

    /// The next field and its number; nil: the message is at its end.
    mutating func next() throws(Malformed) -> (field: Int, value: Value)? {
        if self.restCount == 0 { return nil }
        let head = try self.varint()
        let field = head >> 3
        guard (1...0x1FFF_FFFF).contains(field), let type = WireType(rawValue: UInt8(head & 7)) else {
            throw Malformed()
        }
        switch type {
        case .varint: return (Int(field), .number(try self.varint()))
        case .fixed64: return (Int(field), .number(try self.fixed(8)))
        case .fixed32: return (Int(field), .number(try self.fixed(4)))
        case .lengthDelimited:
            let length = try self.varint()
            guard length <= UInt64(self.restCount) else { throw Malformed() }
            let start = self.index
            self.index += Int(length)
            return (Int(field), .bytes(self.message[start..<self.index]))
        }
    }

    private mutating func varint() throws(Malformed) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 64, by: 7) {
            guard self.restCount > 0 else { throw Malformed() }
            let byte = self.message[self.index]
            self.index += 1
            // The tenth byte has room for one bit.
            if shift == 63, byte > 1 { throw Malformed() }
            value |= UInt64(byte & 0x7F) << UInt64(shift)
            if byte < 0x80 { return value }
        }
        throw Malformed()
    }

    private mutating func fixed(_ count: Int) throws(Malformed) -> UInt64 {
        guard self.restCount >= count else { throw Malformed() }
        var value: UInt64 = 0
        for (index, byte) in self.message[self.index..<self.index + count].enumerated() {
            value |= UInt64(byte) << UInt64(index * 8)
        }
        self.index += count
        return value
    }
}
