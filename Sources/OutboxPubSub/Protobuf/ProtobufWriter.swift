import OutboxRuntime

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

    /// Writes fields whose size is known.
    ///
    /// - Parameter write: Writes so many bytes.
    mutating func fields(size: Int, _ write: (inout ProtobufPlace) -> Void) {
        self.bytes.append(addingCapacity: size) { output in
            unsafe output.withUnsafeMutableBufferPointer { bytes, written in
                let start = UnsafeMutableRawPointer(bytes.baseAddress!)
                var place = unsafe ProtobufPlace(start)
                unsafe write(&place)
                written = unsafe place.end - start
                precondition(written == size, "a field has another size than it was said to have")
            }
        }
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

/// Where fields are written that fit.
@unsafe struct ProtobufPlace {
    /// What is written next.
    private(set) var end: UnsafeMutableRawPointer

    init(_ start: UnsafeMutableRawPointer) { unsafe self.end = start }

    /// Begins a field whose content has that length.
    mutating func head(_ field: Int, length: Int) {
        unsafe self.varint(UInt64(field) << 3 | UInt64(ProtobufReader.WireType.lengthDelimited.rawValue))
        unsafe self.varint(UInt64(length))
    }

    /// Writes bytes.
    mutating func bytes(_ field: Int, _ bytes: UnsafeRawBufferPointer) {
        unsafe self.head(field, length: bytes.count)
        unsafe self.written(bytes)
    }

    /// Writes what was written before, as it is.
    mutating func written(_ bytes: UnsafeRawBufferPointer) {
        if let start = bytes.baseAddress { unsafe self.end.copyMemory(from: start, byteCount: bytes.count) }
        unsafe self.end += bytes.count
    }

    /// Writes a text of so many digits.
    mutating func digits(_ field: Int, _ value: UInt64, count: Int) {
        unsafe self.head(field, length: count)
        unsafe Decimal.write(value, count: count, to: self.end)
        unsafe self.end += count
    }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            unsafe self.end.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, as: UInt8.self)
            unsafe self.end += 1
            rest >>= 7
        }
        unsafe self.end.storeBytes(of: UInt8(rest), as: UInt8.self)
        unsafe self.end += 1
    }
}
