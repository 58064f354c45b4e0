/// Writes the fields of a message of protocol buffers, of the kinds that Pub/Sub's have
/// (https://protobuf.dev/programming-guides/encoding).
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    init() {}

    init(capacity: Int) { self.bytes.reserveCapacity(capacity) }

    /// Writes behind these bytes.
    init(_ bytes: [UInt8], capacity: Int) {
        self.bytes.reserveCapacity(capacity)
        self.bytes.append(contentsOf: bytes)
    }

    /// Writes a text; one that is empty is left out, as proto3 has it.
    mutating func string(_ field: Int, _ text: String) {
        if text.isEmpty { return }
        self.string(always: field, text)
    }

    /// Writes a text also where it is empty: a key or a value of a map.
    mutating func string(always field: Int, _ text: String) {
        self.head(field, length: text.utf8.count)
        self.bytes.append(contentsOf: text.utf8)
    }

    /// Writes bytes; none are left out.
    mutating func bytes(_ field: Int, _ bytes: UnsafeRawBufferPointer) {
        if unsafe bytes.isEmpty { return }
        self.head(field, length: bytes.count)
        unsafe self.bytes.append(contentsOf: bytes)
    }

    /// Writes what was written before, as it is.
    mutating func written(_ bytes: ArraySlice<UInt8>) { self.bytes.append(contentsOf: bytes) }

    /// How many bytes a field takes whose content has that length.
    static func size(field: Int, length: Int) -> Int {
        self.varintSize(UInt64(field) << 3) + self.varintSize(UInt64(length)) + length
    }

    private static func varintSize(_ value: UInt64) -> Int { max(1, (64 - value.leadingZeroBitCount + 6) / 7) }

    /// Begins a field whose content has that length.
    mutating func head(_ field: Int, length: Int) {
        self.varint(UInt64(field) << 3 | UInt64(ProtobufReader.WireType.lengthDelimited.rawValue))
        self.varint(UInt64(length))
    }

    private mutating func varint(_ value: UInt64) {
        if value < 0x80 { return self.bytes.append(UInt8(value)) }
        var rest = value
        while rest >= 0x80 {
            self.bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        self.bytes.append(UInt8(rest))
    }
}
