/// Texts as parts of a URL (RFC 3986).
enum PercentEncoding {
    /// A text in which nothing has a meaning in a URL any more: what is not a letter, a digit or one of `-._~` is encoded, as UTF-8.
    static func encoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            if self.isUnreserved(byte) { bytes.append(byte) } else { self.append(byte, to: &bytes) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func append(_ byte: UInt8, to bytes: inout [UInt8]) {
        let digits = Array("0123456789ABCDEF".utf8)
        bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }

    /// What was encoded; nil: it is not encoded, not UTF-8, or has a NUL.
    static func decoded(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, digits.allSatisfy(self.isHexadecimal),
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return bytes.contains(0) ? nil : String(validating: bytes, as: UTF8.self)
    }

    /// Whether a path has a part `.` or `..`, which some server on the way would resolve. Servers decode before they resolve, once or again
    /// behind a proxy, take a backslash for a slash, and what follows a semicolon for a parameter. What is encoded more often than there can be
    /// servers on the way counts as such a part: to find out would take the longer the longer it is.
    static func leavesPath(_ path: String) -> Bool {
        var bytes = Array(path.utf8)
        for _ in 0..<self.mostDecoders {
            let parts = bytes.split { "/\\;".utf8.contains($0) }
            if parts.contains(where: { $0.count <= 2 && $0.allSatisfy { $0 == UInt8(ascii: ".") } }) { return true }
            guard bytes.contains(UInt8(ascii: "%")) else { return false }
            let decoded = self.decodedBytes(bytes)
            if decoded == bytes { return false }
            bytes = decoded
        }
        return true
    }

    private static let mostDecoders = 8

    /// What is encoded, decoded; what is not, as it is.
    private static func decodedBytes(_ bytes: [UInt8]) -> [UInt8] {
        var decoded: [UInt8] = []
        var rest = bytes[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            if byte == UInt8(ascii: "%"), digits.count == 2, digits.allSatisfy(self.isHexadecimal),
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            {
                decoded.append(value)
                rest = rest.dropFirst(2)
            } else {
                decoded.append(byte)
            }
        }
        return decoded
    }

    static func isUnreserved(_ byte: UInt8) -> Bool {
        self.isAlphanumeric(byte) || "-._~".utf8.contains(byte)
    }

    static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    /// Whether a text can stand in a path or a query as it is: nothing has to be encoded, and what is encoded has two digits.
    static func isPartOfURL(_ text: some StringProtocol) -> Bool {
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard rest.prefix(2).count == 2, rest.prefix(2).allSatisfy(self.isHexadecimal) else { return false }
            } else if !self.isUnreserved(byte), !"!$&'()*+,;=:@/?".utf8.contains(byte) {
                return false
            }
        }
        return true
    }
}
