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

    /// Passes over a string.
    mutating func text() -> Text? {
        guard self.accept("\"") else { return nil }
        let start = self.index
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

        static func == (text: Text, other: String) -> Bool {
            var other = other
            return other.withUTF8 { unsafe text.isEqual(UnsafeRawBufferPointer($0)) }
        }

        private func isEqual(_ other: UnsafeRawBufferPointer) -> Bool {
            guard unsafe self.bytes.count == other.count else { return false }
            return unsafe other.isEmpty || memcmp(self.bytes.baseAddress!, other.baseAddress!, other.count) == 0
        }

        /// The number that it begins with, of one to three digits.
        var leadingNumber: Int? {
            var number: Int?
            for unsafe byte in unsafe self.bytes.prefix(3) {
                guard (0x30...0x39).contains(byte) else { break }
                number = 10 * (number ?? 0) + Int(byte - 0x30)
            }
            return number
        }
    }
}
