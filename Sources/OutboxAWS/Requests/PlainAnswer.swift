#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Reads answers in the plain form in which the services write them: objects, arrays, strings of ASCII without escapes, and whole numbers.
///
/// It refuses everything else, also what is JSON: that is for the decoder, which takes ten times as long. What it takes is JSON, and means
/// the same to the decoder.
@safe struct PlainAnswer {
    private let bytes: UnsafeRawBufferPointer
    private let count: Int
    private var index = 0

    /// - Parameter read: Reads the text from its beginning to its end.
    /// - Returns: nil: the text is not in that form, or not as it is read.
    static func read<Value>(_ text: [UInt8], _ read: (inout PlainAnswer) -> Value?) -> Value? {
        unsafe text.withUnsafeBytes { bytes in
            var answer = unsafe PlainAnswer(bytes: bytes)
            guard let value = read(&answer) else { return nil }
            answer.skipSpace()
            return answer.index == bytes.count ? value : nil
        }
    }

    private init(bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = bytes
        self.count = bytes.count
    }

    private mutating func skipSpace() {
        while self.index < self.count {
            switch unsafe self.bytes[self.index] {
            case 0x20, 0x09, 0x0A, 0x0D: self.index += 1
            default: return
            }
        }
    }

    /// Passes over a character and the space before it, if it is there.
    private mutating func accept(_ character: Unicode.Scalar) -> Bool {
        self.skipSpace()
        guard self.index < self.count, unsafe self.bytes[self.index] == UInt8(ascii: character) else {
            return false
        }
        self.index += 1
        return true
    }

    /// Reads an object.
    ///
    /// - Parameter member: Reads the value of a member with that name; false: it is not as it is read.
    mutating func object(_ member: (Text, inout PlainAnswer) -> Bool) -> Bool {
        guard self.accept("{") else { return false }
        if self.accept("}") { return true }
        repeat {
            guard let name = self.text(), self.accept(":"), member(name, &self) else { return false }
        } while self.accept(",")
        return self.accept("}")
    }

    /// Reads an array.
    mutating func array(_ element: (inout PlainAnswer) -> Bool) -> Bool {
        guard self.accept("[") else { return false }
        if self.accept("]") { return true }
        repeat {
            if !element(&self) { return false }
        } while self.accept(",")
        return self.accept("]")
    }

    /// Passes over what stands here as it is, if it does.
    mutating func accept(exactly text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard self.count - self.index >= count,
            unsafe memcmp(self.bytes.baseAddress! + self.index, text.utf8Start, count) == 0
        else { return false }
        self.index += count
        return true
    }

    /// Reads something in the way in which it is written most of the time; if it is not, nothing is passed over.
    mutating func tryReading(_ read: (inout PlainAnswer) -> Bool) -> Bool {
        let start = self.index
        if read(&self) { return true }
        self.index = start
        return false
    }

    /// Passes over a string.
    mutating func text() -> Text? { self.accept("\"") ? self.restOfText() : nil }

    /// Passes over a string behind its first quote.
    mutating func restOfText() -> Text? {
        let start = self.index
        self.skipPlainText()
        while self.index < self.count {
            let byte = unsafe self.bytes[self.index]
            self.index += 1
            if byte == UInt8(ascii: "\"") {
                return unsafe Text(bytes: UnsafeRawBufferPointer(rebasing: self.bytes[start..<self.index - 1]))
            }
            if byte < 0x20 || byte > 0x7E || byte == UInt8(ascii: "\\") { return nil }
        }
        return nil
    }

    /// Passes over characters that end no string, eight at a time.
    private mutating func skipPlainText() {
        let (ones, high): (UInt64, UInt64) = (0x0101_0101_0101_0101, 0x8080_8080_8080_8080)
        while self.index + 8 <= self.count {
            let word = unsafe self.bytes.loadUnaligned(fromByteOffset: self.index, as: UInt64.self)
            let quotes = word ^ (ones &* 0x22)
            let slashes = word ^ (ones &* 0x5C)
            // Bytes of 0x7F and above, below 0x20, a quote and a backslash mark themselves; a carry may mark others too, which are looked at alone.
            let marked =
                word | (word &+ ones) | (word &- (ones &* 0x20)) | (quotes &- ones) & ~quotes
                | (slashes &- ones) & ~slashes
            if marked & high != 0 { return }
            self.index += 8
        }
    }

    /// Passes over a string, or a whole number without a sign.
    mutating func skipValue() -> Bool {
        self.skipSpace()
        let start = self.index
        while self.index < self.count, unsafe (0x30...0x39).contains(self.bytes[self.index]) { self.index += 1 }
        switch self.index - start {
        case 0: return self.text() != nil
        case 1: return true
        // None that is too large for a number, or begins with 0.
        case 2...15: return unsafe self.bytes[start] != 0x30
        default: return false
        }
    }

    /// A string of the answer, where it lies.
    @safe struct Text {
        fileprivate let bytes: UnsafeRawBufferPointer

        var isEmpty: Bool { unsafe self.bytes.isEmpty }

        static func == (text: Text, other: StaticString) -> Bool {
            unsafe text.isEqual(UnsafeRawBufferPointer(start: other.utf8Start, count: other.utf8CodeUnitCount))
        }

        private func isEqual(_ other: UnsafeRawBufferPointer) -> Bool {
            guard unsafe self.bytes.count == other.count else { return false }
            return unsafe other.isEmpty || memcmp(self.bytes.baseAddress!, other.baseAddress!, other.count) == 0
        }

        /// The two numbers that it consists of, with a hyphen between them, as they are written without a sign and without zeros in front.
        var numbers: (Int64, Int64)? {
            guard let hyphen = unsafe self.bytes.firstIndex(of: UInt8(ascii: "-")),
                let first = unsafe Self.number(self.bytes[..<hyphen]),
                let second = unsafe Self.number(self.bytes[(hyphen + 1)...])
            else { return nil }
            return (first, second)
        }

        private static func number(_ digits: Slice<UnsafeRawBufferPointer>) -> Int64? {
            guard let first = unsafe digits.first, unsafe digits.count == 1 || (first != 0x30 && digits.count <= 18)
            else {
                return nil
            }
            var number: Int64 = 0
            for place in unsafe digits.indices {
                let digit = unsafe digits[place]
                guard (0x30...0x39).contains(digit) else { return nil }
                number = 10 * number + Int64(digit - 0x30)
            }
            return number
        }
    }
}
