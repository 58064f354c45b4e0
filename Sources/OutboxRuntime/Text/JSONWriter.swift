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
    package mutating func integer(_ value: Int) { self.integer(Int64(value)) }
    package mutating func integer(_ value: Int64) {
        self.separate()
        self.part(integer: value)
        self.needsComma = true
    }
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
        unsafe self.part(plainCount: count, fill)
        self.bytes.append(UInt8(ascii: "\""))
        self.needsComma = true
    }

    /// Writes a part of the text as it is, such as brackets and names that are the same each time. What follows stands right behind it.
    package mutating func literal(_ text: StaticString) {
        self.needsComma = false
        unsafe self.bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Writes a part of a string whose bytes are known to be UTF-8, without quotes around it.
    package mutating func part(utf8 text: UnsafeRawBufferPointer) { unsafe self.escape(text) }

    /// Writes the digits of a number.
    package mutating func part(integer value: Int64) {
        if value < 0 { self.bytes.append(UInt8(ascii: "-")) }
        let count = Decimal.count(of: value.magnitude)
        unsafe self.part(plainCount: count) { text in
            unsafe Decimal.write(value.magnitude, count: count, to: text.baseAddress!)
        }
    }

    /// Writes so many bytes, of which none is escaped, without quotes around them.
    ///
    /// - Parameter fill: Writes all of the bytes.
    package mutating func part(plainCount count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        self.bytes.append(addingCapacity: count) { text in
            unsafe text.withUnsafeMutableBufferPointer { bytes, written in
                unsafe fill(UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: bytes[..<count])))
                written = count
            }
        }
    }

    /// Writes parts of the text for which there is room, which need not be asked for each of them. What follows stands right behind them.
    ///
    /// - Parameters:
    ///   - room: How many bytes they have at most.
    ///   - write: Writes them.
    package mutating func parts(atMost room: Int, _ write: (inout JSONPlace) -> Void) {
        self.needsComma = false
        self.bytes.append(addingCapacity: room) { output in
            unsafe output.withUnsafeMutableBufferPointer { bytes, written in
                let start = UnsafeMutableRawPointer(bytes.baseAddress!)
                var place = unsafe JSONPlace(start)
                unsafe write(&place)
                written = unsafe place.end - start
                precondition(written <= room, "parts of a text have more bytes than they were said to have")
            }
        }
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

    private mutating func escape(_ text: UnsafeRawBufferPointer) {
        var start = 0
        while start < text.count {
            let end = min(start + Self.escapedAtOnce, text.count)
            let piece = unsafe UnsafeRawBufferPointer(rebasing: text[start..<end])
            self.bytes.append(addingCapacity: Self.longestEscape * piece.count) { output in
                unsafe output.withUnsafeMutableBufferPointer { bytes, written in
                    unsafe written = Self.escape(piece, to: UnsafeMutableRawBufferPointer(bytes))
                }
            }
            start = end
        }
    }

    /// `\u001f`.
    fileprivate static let longestEscape = 6
    private static let escapedAtOnce = 256

    /// - Parameter output: Has room for as much as the text can become.
    /// - Returns: How many bytes were written.
    fileprivate static func escape(_ text: UnsafeRawBufferPointer, to output: UnsafeMutableRawBufferPointer) -> Int {
        var (from, to) = (0, 0)
        // Eight bytes at a time, of which those count that stand before the first one that is not written as it is.
        while from + 8 <= text.count {
            let word = unsafe text.loadUnaligned(fromByteOffset: from, as: UInt64.self)
            unsafe output.storeBytes(of: word, toByteOffset: to, as: UInt64.self)
            let plain = self.plainCount(UInt64(littleEndian: word))
            from += plain
            to += plain
            if plain < 8 {
                unsafe to += self.writeEscape(of: text[from], to: output, at: to)
                from += 1
            }
        }
        while from < text.count {
            let byte = unsafe text[from]
            if self.isEscaped(byte) {
                unsafe to += self.writeEscape(of: byte, to: output, at: to)
            } else {
                unsafe output[to] = byte
                to += 1
            }
            from += 1
        }
        return to
    }

    /// How many of the first bytes are written as they are. In each term the lowest byte that is marked is one that is escaped; those behind may be
    /// marked by a carry.
    private static func plainCount(_ word: UInt64) -> Int {
        let (ones, high): (UInt64, UInt64) = (0x0101_0101_0101_0101, 0x8080_8080_8080_8080)
        let quotes = word ^ (ones &* 0x22)
        let slashes = word ^ (ones &* 0x5C)
        let controls = (word &- (ones &* 0x20)) & ~word
        let marked = (controls | (quotes &- ones) & ~quotes | (slashes &- ones) & ~slashes) & high
        return marked.trailingZeroBitCount / 8
    }

    private static func isEscaped(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    /// - Returns: How many bytes were written.
    private static func writeEscape(
        of byte: UInt8, to output: UnsafeMutableRawBufferPointer, at place: Int
    ) -> Int {
        let letter: UInt8? =
            switch byte {
            case UInt8(ascii: "\n"): UInt8(ascii: "n")
            case UInt8(ascii: "\r"): UInt8(ascii: "r")
            case UInt8(ascii: "\t"): UInt8(ascii: "t")
            case ..<0x20: nil
            default: byte
            }
        unsafe output[place] = UInt8(ascii: "\\")
        if let letter {
            unsafe output[place + 1] = letter
            return 2
        }
        for (offset, digit) in [UInt8(ascii: "u"), 0x30, 0x30, 0x30 + byte >> 4, self.digit(byte & 15)].enumerated() {
            unsafe output[place + 1 + offset] = digit
        }
        return 6
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value
    }
}

/// Where parts of a text are written for which there is room.
@unsafe package struct JSONPlace {
    /// What is written next.
    package private(set) var end: UnsafeMutableRawPointer

    fileprivate init(_ start: UnsafeMutableRawPointer) { unsafe self.end = start }

    /// How many bytes a text becomes at most, as a part of a string.
    package static func room(for text: UnsafeRawBufferPointer) -> Int { JSONWriter.longestEscape * text.count }

    /// Writes a part of the text as it is.
    package mutating func literal(_ text: StaticString) {
        unsafe self.end.copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
        unsafe self.end += text.utf8CodeUnitCount
    }

    /// Writes a part of a string whose bytes are known to be UTF-8.
    package mutating func part(utf8 text: UnsafeRawBufferPointer) {
        let room = unsafe Self.room(for: text)
        unsafe self.end += JSONWriter.escape(text, to: UnsafeMutableRawBufferPointer(start: self.end, count: room))
    }

    /// Writes so many bytes, of which none is escaped.
    ///
    /// - Parameter fill: Writes all of the bytes.
    package mutating func part(plainCount count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        unsafe fill(UnsafeMutableRawBufferPointer(start: self.end, count: count))
        unsafe self.end += count
    }
}
