/// Whether bytes are one value of JSON (RFC 8259), so that they can be put into another as they are.
struct JSONText {
    private let bytes: [UInt8]
    private var place = 0
    /// The closing bracket that each open one waits for.
    private var open: [UInt8] = []

    static func isValid(_ bytes: [UInt8]) -> Bool {
        guard String(validating: bytes, as: UTF8.self) != nil else { return false }
        var text = JSONText(bytes: bytes)
        return text.readAll()
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var next: UInt8? { self.place < self.bytes.count ? self.bytes[self.place] : nil }

    private mutating func take(_ byte: Unicode.Scalar) -> Bool {
        guard self.next == UInt8(ascii: byte) else { return false }
        self.place += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = self.next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { self.place += 1 }
    }

    /// Without recursion: nothing limits how deep a value is.
    private mutating func readAll() -> Bool {
        repeat {
            guard self.readValue() else { return false }
            // What was read may be the last of one bracket and of those around it.
            self.skipSpace()
            while let close = self.open.last, self.next == close {
                self.place += 1
                self.open.removeLast()
                self.skipSpace()
            }
            guard let close = self.open.last else { break }
            guard self.take(",") else { return false }
            self.skipSpace()
            if close == UInt8(ascii: "}"), !self.readName() { return false }
        } while true
        return self.place == self.bytes.count
    }

    /// Reads a value that is none of several, or the beginning of those.
    private mutating func readValue() -> Bool {
        while true {
            self.skipSpace()
            if self.take("{") {
                self.skipSpace()
                if self.take("}") { return true }
                self.open.append(UInt8(ascii: "}"))
                if !self.readName() { return false }
            } else if self.take("[") {
                self.skipSpace()
                if self.take("]") { return true }
                self.open.append(UInt8(ascii: "]"))
            } else {
                return self.readScalar()
            }
        }
    }

    private mutating func readName() -> Bool {
        guard self.take("\""), self.readString() else { return false }
        self.skipSpace()
        return self.take(":")
    }

    private mutating func readScalar() -> Bool {
        if self.take("\"") { return self.readString() }
        for word in ["true", "false", "null"] where self.take(word: word) { return true }
        return self.readNumber()
    }

    private mutating func take(word: String) -> Bool {
        let end = self.place + word.utf8.count
        guard end <= self.bytes.count, self.bytes[self.place..<end].elementsEqual(word.utf8) else { return false }
        self.place = end
        return true
    }

    /// What follows the quotation mark, with the one at the end.
    private mutating func readString() -> Bool {
        while let byte = self.next {
            self.place += 1
            switch byte {
            case UInt8(ascii: "\""): return true
            case 0..<0x20: return false
            case UInt8(ascii: "\\"):
                guard let escaped = self.next else { return false }
                self.place += 1
                if escaped == UInt8(ascii: "u") {
                    for _ in 0..<4 {
                        guard let digit = self.next, PercentEncoding.isHexadecimal(digit) else { return false }
                        self.place += 1
                    }
                } else if !"\"\\/bfnrt".utf8.contains(escaped) {
                    return false
                }
            default: break
            }
        }
        return false
    }

    private mutating func readNumber() -> Bool {
        _ = self.take("-")
        if !self.take("0"), !self.readDigits() { return false }
        if self.take("."), !self.readDigits() { return false }
        if self.take("e") || self.take("E") {
            if !self.take("+") { _ = self.take("-") }
            return self.readDigits()
        }
        return true
    }

    private mutating func readDigits() -> Bool {
        let start = self.place
        while let byte = self.next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { self.place += 1 }
        return self.place > start
    }
}
