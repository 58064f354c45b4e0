/// Writes JSON (RFC 8259), each value on one line, into bytes.
package struct JSONWriter {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init() {}

    /// - Parameter capacity: How many bytes there will be, about.
    package init(capacity: Int) { self.bytes.reserveCapacity(capacity) }

    /// Takes what has been written, and starts with an empty text.
    package mutating func take() -> [UInt8] {
        defer { self.bytes = [] }
        self.needsComma = false
        return self.bytes
    }

    package mutating func beginObject() { self.open("{") }
    package mutating func endObject() { self.close("}") }
    package mutating func beginArray() { self.open("[") }
    package mutating func endArray() { self.close("]") }

    /// Ends the line of a value.
    package mutating func newline() {
        self.bytes.append(UInt8(ascii: "\n"))
        self.needsComma = false
    }

    /// Writes a member's name; its value follows.
    package mutating func name(_ name: StaticString) {
        self.separate()
        self.bytes.append(UInt8(ascii: "\""))
        unsafe self.bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        self.bytes.append(UInt8(ascii: "\""))
        self.bytes.append(UInt8(ascii: ":"))
        self.needsComma = false
    }

    /// Writes a member's name that the program does not know; its value follows.
    package mutating func name(of member: String) {
        self.string(member)
        self.bytes.append(UInt8(ascii: ":"))
        self.needsComma = false
    }

    package mutating func null() { self.raw("null") }
    package mutating func bool(_ value: Bool) { self.raw(value ? "true" : "false") }
    package mutating func integer(_ value: Int) { self.raw(String(value)) }
    package mutating func integer(_ value: Int64) { self.raw(String(value)) }
    package mutating func integer(_ value: some FixedWidthInteger) { self.integer(Int64(value)) }

    /// Writes a number; JSON has none for what is not finite.
    package mutating func double(_ value: Double) { self.raw(value.isFinite ? String(value) : "null") }

    package mutating func string(_ value: String?) {
        guard var text = value else { return self.null() }
        self.separate()
        self.bytes.append(UInt8(ascii: "\""))
        text.withUTF8 { bytes in unsafe self.escape(UnsafeRawBufferPointer(bytes)) }
        self.bytes.append(UInt8(ascii: "\""))
        self.needsComma = true
    }

    /// Writes a string whose bytes are known to be UTF-8.
    package mutating func string(utf8 text: UnsafeRawBufferPointer) {
        self.separate()
        self.bytes.append(UInt8(ascii: "\""))
        unsafe self.escape(text)
        self.bytes.append(UInt8(ascii: "\""))
        self.needsComma = true
    }

    /// Writes a string of so many bytes, of which none is escaped.
    ///
    /// - Parameter fill: Writes all of the bytes.
    package mutating func string(plainCount count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        self.separate()
        self.bytes.append(UInt8(ascii: "\""))
        let start = self.bytes.count
        // Cleared first: an array has no other way to grow in place.
        self.bytes.append(contentsOf: repeatElement(0, count: count))
        unsafe self.bytes.withUnsafeMutableBytes { bytes in
            unsafe fill(UnsafeMutableRawBufferPointer(rebasing: bytes[start...]))
        }
        self.bytes.append(UInt8(ascii: "\""))
        self.needsComma = true
    }

    /// Writes a text that is JSON already.
    package mutating func raw(_ text: String) {
        self.separate()
        self.bytes.append(contentsOf: text.utf8)
        self.needsComma = true
    }

    // MARK: - Details

    private mutating func open(_ bracket: Unicode.Scalar) {
        self.separate()
        self.bytes.append(UInt8(ascii: bracket))
        self.needsComma = false
    }

    private mutating func close(_ bracket: Unicode.Scalar) {
        self.bytes.append(UInt8(ascii: bracket))
        self.needsComma = true
    }

    private mutating func separate() {
        if self.needsComma { self.bytes.append(UInt8(ascii: ",")) }
    }

    /// Runs of plain bytes are copied at once.
    private mutating func escape(_ text: UnsafeRawBufferPointer) {
        var start = 0
        while true {
            let end = unsafe Self.firstEscaped(in: text, from: start)
            if end > start { unsafe self.bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[start..<end])) }
            if end == text.count { return }
            unsafe self.appendEscape(of: text[end])
            start = end + 1
        }
    }

    /// Where the first byte is that is not written as it is; the end of the text, where there is none.
    private static func firstEscaped(in text: UnsafeRawBufferPointer, from start: Int) -> Int {
        var index = start
        // Eight bytes at a time. In each term the lowest byte that is marked is one that it looks for; those behind may be marked by a carry.
        let (ones, high): (UInt64, UInt64) = (0x0101_0101_0101_0101, 0x8080_8080_8080_8080)
        while index + 8 <= text.count {
            let word = unsafe UInt64(littleEndian: text.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            let quotes = word ^ (ones &* 0x22)
            let slashes = word ^ (ones &* 0x5C)
            let controls = (word &- (ones &* 0x20)) & ~word
            let marked = (controls | (quotes &- ones) & ~quotes | (slashes &- ones) & ~slashes) & high
            if marked != 0 { return index + marked.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < text.count, unsafe !Self.isEscaped(text[index]) { index += 1 }
        return index
    }

    private static func isEscaped(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private mutating func appendEscape(of byte: UInt8) {
        self.bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\n"): self.bytes.append(UInt8(ascii: "n"))
        case UInt8(ascii: "\r"): self.bytes.append(UInt8(ascii: "r"))
        case UInt8(ascii: "\t"): self.bytes.append(UInt8(ascii: "t"))
        case ..<0x20:
            let digits = String(byte, radix: 16)
            self.bytes.append(contentsOf: (digits.utf8.count == 1 ? "u000" : "u00").utf8)
            self.bytes.append(contentsOf: digits.utf8)
        default: self.bytes.append(byte)
        }
    }
}
