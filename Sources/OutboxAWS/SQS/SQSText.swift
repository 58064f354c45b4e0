/// What SQS takes as text: `#x9`, `#xA`, `#xD`, `#x20` to `#xD7FF`, `#xE000` to `#xFFFD`, `#x10000` to `#x10FFFF`.
enum SQSText {
    /// The text of bytes; nil: they are no UTF-8, or have other characters.
    static func text(_ bytes: UnsafeRawBufferPointer) -> String? {
        guard let text = unsafe String(validating: bytes, as: UTF8.self), self.isText(text) else { return nil }
        return text
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
