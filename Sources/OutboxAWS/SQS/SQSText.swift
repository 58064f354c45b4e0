/// What SQS takes as text: `#x9`, `#xA`, `#xD`, `#x20` to `#xD7FF`, `#xE000` to `#xFFFD`, `#x10000` to `#x10FFFF`.
enum SQSText {
    /// The text of bytes; nil: they are no UTF-8, or have other characters.
    static func text(_ bytes: UnsafeRawBufferPointer) -> String? {
        if unsafe self.isPlain(bytes) { return unsafe String(decoding: bytes, as: UTF8.self) }
        guard let text = unsafe String(validating: bytes, as: UTF8.self), self.isText(text) else { return nil }
        return text
    }

    /// Whether bytes are ASCII that SQS takes. What it is false for is looked at character by character.
    static func isPlain(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        let (ones, high): (UInt64, UInt64) = (0x0101_0101_0101_0101, 0x8080_8080_8080_8080)
        while index + 8 <= bytes.count {
            let word = unsafe bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            // A byte below 0x20 marks itself, whatever stands beside it.
            let isSuspect = (word | (word &- (ones &* 0x20)) & ~word) & high != 0
            if isSuspect, unsafe !bytes[index..<index + 8].allSatisfy(self.isPlain) { return false }
            index += 8
        }
        return unsafe bytes[index...].allSatisfy(self.isPlain)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte < 0x80 && (byte >= 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D)
    }

    static func isText(_ text: String) -> Bool {
        var (before, last): (UInt8, UInt8) = (0, 0)
        for byte in text.utf8 {
            if byte < 0x20, byte != 0x09, byte != 0x0A, byte != 0x0D { return false }
            // U+FFFE and U+FFFF.
            if byte >= 0xBE, last == 0xBF, before == 0xEF { return false }
            (before, last) = (last, byte)
        }
        return true
    }
}
