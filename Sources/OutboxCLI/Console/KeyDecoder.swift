/// Finds the keys in what a terminal sends, in pieces of any size.
///
/// A key such as an arrow is a sequence of bytes that begins with that of Escape (ECMA-48 5.4; xterm's "PC-style function keys"). Sequences
/// of keys that are not in ``Key`` are passed over.
struct KeyDecoder {
    /// The beginning of a key.
    private var pending: [UInt8] = []

    /// Longer sequences are none.
    private static let longest = 32
    private static let escape: UInt8 = 0x1B

    /// Whether a key has begun, or Escape was pressed: what comes next decides, or that nothing does.
    var isUndecided: Bool { !self.pending.isEmpty }

    /// The keys that are complete with these bytes.
    mutating func keys(_ bytes: some Sequence<UInt8>) -> [Key] {
        self.pending += bytes
        var keys: [Key] = []
        while !self.pending.isEmpty {
            guard let (length, key) = Self.first(self.pending) else { break }
            self.pending.removeFirst(length)
            if let key { keys.append(key) }
        }
        return keys
    }

    /// The key that was pressed if nothing follows: Escape, or none. What had begun is forgotten.
    mutating func flush() -> [Key] {
        defer { self.pending = [] }
        return self.pending == [Self.escape] ? [.escape] : []
    }

    /// The first key, and how many bytes it has; nil: more have to come.
    private static func first(_ bytes: [UInt8]) -> (length: Int, key: Key?)? {
        switch bytes[0] {
        case escape: sequence(bytes)
        case 0x08, 0x7F: (1, .backspace)
        case 0x0A, 0x0D: (1, .enter)
        case 0x0C: (1, .redraw)
        case 0x15: (1, .eraseLine)
        case 0x00..<0x20: (1, nil)
        default: character(bytes)
        }
    }

    private static func sequence(_ bytes: [UInt8]) -> (length: Int, key: Key?)? {
        guard bytes.count > 1 else { return nil }
        switch bytes[1] {
        case UInt8(ascii: "O"):
            guard bytes.count > 2 else { return nil }
            // Enter of the keypad.
            return (3, bytes[2] == UInt8(ascii: "M") ? .enter : key(final: bytes[2], parameters: []))
        case UInt8(ascii: "["):
            for index in 2..<bytes.count {
                switch bytes[index] {
                // The console of Linux has function keys with a second bracket and a letter.
                case UInt8(ascii: "[") where index == 2:
                    return bytes.count > 3 ? (4, nil) : nil
                case 0x40...0x7E: return (index + 1, key(final: bytes[index], parameters: bytes[2..<index]))
                case 0x20...0x3F where index < longest: continue
                // It is no sequence. What is here may be a key.
                default: return (index, nil)
                }
            }
            return nil
        // Another key has been pressed after it, or Alt with a key.
        default: return (1, .escape)
        }
    }

    private static func key(final: UInt8, parameters: ArraySlice<UInt8>) -> Key? {
        switch final {
        case UInt8(ascii: "A"): return .up
        case UInt8(ascii: "B"): return .down
        case UInt8(ascii: "H"): return .home
        case UInt8(ascii: "F"): return .end
        case UInt8(ascii: "~"):
            switch String(decoding: parameters.prefix { $0 != UInt8(ascii: ";") }, as: UTF8.self) {
            case "1", "7": return .home
            case "4", "8": return .end
            case "5": return .pageUp
            case "6": return .pageDown
            default: return nil
            }
        default: return nil
        }
    }

    private static func character(_ bytes: [UInt8]) -> (length: Int, key: Key?)? {
        let length =
            switch bytes[0] {
            case 0x00..<0x80: 1
            case 0xC2..<0xE0: 2
            case 0xE0..<0xF0: 3
            case 0xF0..<0xF5: 4
            default: 0
            }
        if length == 0 { return (1, nil) }
        // A byte that does not continue it is the beginning of something else.
        let continued = bytes.prefix(length).dropFirst().prefix { $0 & 0xC0 == 0x80 }.count
        if continued < length - 1 { return bytes.count > continued + 1 ? (continued + 1, nil) : nil }
        guard let text = String(validating: bytes.prefix(length), as: UTF8.self), let character = text.first else {
            return (length, nil)
        }
        return (length, .character(character))
    }
}
