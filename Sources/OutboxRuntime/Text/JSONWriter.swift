/// Writes JSON (RFC 8259), each value on one line, into bytes.
package struct JSONWriter {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init() {}

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
        for index in 0..<text.count {
            let byte = unsafe text[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
            unsafe self.bytes.append(contentsOf: text[start..<index])
            start = index + 1
            switch byte {
            case UInt8(ascii: "\""): self.bytes.append(contentsOf: #"\""#.utf8)
            case UInt8(ascii: "\\"): self.bytes.append(contentsOf: #"\\"#.utf8)
            case UInt8(ascii: "\n"): self.bytes.append(contentsOf: #"\n"#.utf8)
            case UInt8(ascii: "\r"): self.bytes.append(contentsOf: #"\r"#.utf8)
            case UInt8(ascii: "\t"): self.bytes.append(contentsOf: #"\t"#.utf8)
            default:
                let digits = String(byte, radix: 16)
                self.bytes.append(contentsOf: (digits.count == 1 ? #"\u000"# : #"\u00"#).utf8)
                self.bytes.append(contentsOf: digits.utf8)
            }
        }
        unsafe self.bytes.append(contentsOf: text[start...])
    }
}
