/// What is in a message, as a person reads it.
struct PayloadText {
    /// How it can be shown.
    enum Form: String, CaseIterable {
        case json, text, hex

        var title: String {
            switch self {
            case .json: "JSON, indented"
            case .text: "Text"
            case .hex: "Hex"
            }
        }
    }

    /// How many bytes are shown at most.
    static let most = 64 << 10

    private let bytes: ArraySlice<UInt8>
    private let text: String?
    private let isJSON: Bool

    /// - Parameter size: How many bytes all of it has. Default: those that are given.
    init(_ payload: [UInt8], size: Int? = nil) {
        let bytes = payload.prefix(Self.most)
        let isCut = (size ?? payload.count) > bytes.count
        self.bytes = bytes
        // The end can be in the middle of a character.
        let ends = isCut ? 0..<4 : 0..<1
        self.text = ends.lazy.compactMap { String(validating: bytes.dropLast($0), as: UTF8.self) }.first
        self.isJSON = !isCut && self.text != nil && Self.isJSON(bytes)
    }

    private static func isJSON(_ bytes: ArraySlice<UInt8>) -> Bool {
        var scanner = JSONScanner(bytes)
        do throws(JSONScanner.Problem) {
            _ = try scanner.value()
            try scanner.end()
            return true
        } catch {
            return false
        }
    }

    /// Those that it has, the best one first.
    var forms: [Form] { (self.isJSON ? [.json] : []) + (self.text != nil ? [.text] : []) + [.hex] }

    func shown(as form: Form) -> String {
        switch form {
        case .json: Self.indented(self.bytes).plain(keepingLines: true)
        case .text: (self.text ?? "").plain(keepingLines: true)
        case .hex: Self.hexadecimal(self.bytes)
        }
    }

    /// JSON with a line for each value. Names, texts and numbers stay as they were written.
    private static func indented(_ json: ArraySlice<UInt8>) -> String {
        var result: [UInt8] = []
        var depth = 0
        var (isText, isEscaped) = (false, false)
        var opened = false
        func newLine() {
            result.append(UInt8(ascii: "\n"))
            result.append(contentsOf: repeatElement(UInt8(ascii: " "), count: min(depth, 100) * 2))
        }
        for byte in json {
            if isText {
                result.append(byte)
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isText = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): continue
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if !opened { newLine() }
                result.append(byte)
                opened = false
                continue
            default: break
            }
            if opened { newLine() }
            opened = false
            result.append(byte)
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                opened = true
            case UInt8(ascii: ","): newLine()
            case UInt8(ascii: ":"): result.append(UInt8(ascii: " "))
            case UInt8(ascii: "\""): isText = true
            default: break
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Sixteen bytes a line, with their place before them, and behind them what is ASCII.
    private static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
        func digits(_ number: Int, _ count: Int) -> String {
            let text = String(number, radix: 16)
            return String(repeating: "0", count: max(count - text.count, 0)) + text
        }
        var lines: [String] = []
        for start in stride(from: bytes.startIndex, to: bytes.endIndex, by: 16) {
            let line = bytes[start..<min(start + 16, bytes.endIndex)]
            let numbers = line.map { digits(Int($0), 2) }.joined(separator: " ")
            let text = line.map { (0x20..<0x7F).contains($0) ? String(Unicode.Scalar($0)) : "." }.joined()
            let margin = String(repeating: " ", count: 48 - numbers.count)
            lines.append("\(digits(start - bytes.startIndex, 8))  \(numbers)\(margin) \(text)")
        }
        return lines.joined(separator: "\n")
    }
}
