/// Reads JSON (RFC 8259) member by member from bytes, without building a tree, and knows where a value began and ended.
struct JSONScanner {
    /// What is wrong, and at which byte, counted from 1.
    struct Problem: Error {
        let reason: String
        let position: Int
    }

    /// What kind of value comes next.
    enum Kind { case object, array, string, number, bool, null }

    private let bytes: ArraySlice<UInt8>
    private var index: Int
    private var depth = 0

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        self.index = bytes.startIndex
    }

    /// The next value's kind.
    mutating func kind() throws(Problem) -> Kind {
        self.skipSpace()
        guard let next = self.peek else { throw self.problem("the JSON ends too early") }
        switch next {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw self.problem("not JSON")
        }
    }

    /// Reads an object; `member` has to read each value.
    mutating func object<Failure: Error>(
        _ member: (String, inout JSONScanner) throws(Failure) -> Void, _ wrap: (Problem) -> Failure
    ) throws(Failure) {
        do throws(Problem) { try self.expect("{") } catch { throw wrap(error) }
        if self.accept("}") { return }
        repeat {
            let name: String
            do throws(Problem) {
                self.skipSpace()
                name = try self.string()
                try self.expect(":")
            } catch { throw wrap(error) }
            try member(name, &self)
        } while self.accept(",")
        do throws(Problem) { try self.expect("}") } catch { throw wrap(error) }
    }

    /// Reads a string.
    mutating func string() throws(Problem) -> String {
        let range = try self.skipString()
        let inner = self.bytes[range.lowerBound + 1..<range.upperBound - 1]
        guard inner.contains(UInt8(ascii: "\\")) else {
            guard let text = String(validating: inner, as: UTF8.self) else { throw self.problem("not UTF-8") }
            return text
        }
        guard let text = String(validating: try self.unescaped(inner), as: UTF8.self) else {
            throw self.problem("not UTF-8")
        }
        return text
    }

    /// Reads a number.
    mutating func number() throws(Problem) -> Double {
        let text = try self.value()
        guard let number = Double(String(decoding: text, as: UTF8.self)) else { throw self.problem("not a number") }
        return number
    }

    /// Passes over a value and returns its text.
    mutating func value() throws(Problem) -> ArraySlice<UInt8> {
        let kind = try self.kind()
        let start = self.index
        switch kind {
        case .string: _ = try self.string()
        case .bool: try self.literal(self.peek == UInt8(ascii: "t") ? "true" : "false")
        case .null: try self.literal("null")
        case .number: try self.skipNumber()
        case .object:
            try self.nested { scanner throws(Problem) in
                try scanner.object({ _, inner throws(Problem) in _ = try inner.value() }, { $0 })
            }
        case .array:
            try self.nested { scanner throws(Problem) in
                try scanner.expect("[")
                if scanner.accept("]") { return }
                repeat { _ = try scanner.value() } while scanner.accept(",")
                try scanner.expect("]")
            }
        }
        return self.bytes[start..<self.index]
    }

    /// Refuses anything but space after the value.
    mutating func end() throws(Problem) {
        self.skipSpace()
        if self.peek != nil { throw self.problem("more after the value") }
    }
}

extension JSONScanner {
    private var peek: UInt8? { self.index < self.bytes.endIndex ? self.bytes[self.index] : nil }

    private func problem(_ reason: String) -> Problem {
        Problem(reason: reason, position: self.index - self.bytes.startIndex + 1)
    }

    private mutating func skipSpace() {
        while let byte = self.peek, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { self.index += 1 }
    }

    private mutating func accept(_ character: Unicode.Scalar) -> Bool {
        self.skipSpace()
        guard self.peek == UInt8(ascii: character) else { return false }
        self.index += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(Problem) {
        guard self.accept(character) else { throw self.problem("“\(character)” expected") }
    }

    private mutating func literal(_ text: StaticString) throws(Problem) {
        for offset in 0..<text.utf8CodeUnitCount {
            guard unsafe self.peek == text.utf8Start[offset] else { throw self.problem("not JSON") }
            self.index += 1
        }
    }

    private mutating func nested(_ body: (inout JSONScanner) throws(Problem) -> Void) throws(Problem) {
        // The limit keeps hostile input from using up the stack.
        guard self.depth < 256 else { throw self.problem("nested too deeply") }
        self.depth += 1
        try body(&self)
        self.depth -= 1
    }

    private mutating func skipDigits() throws(Problem) {
        guard let byte = self.peek, (48...57).contains(byte) else { throw self.problem("a digit expected") }
        while let byte = self.peek, (48...57).contains(byte) { self.index += 1 }
    }

    private mutating func skipNumber() throws(Problem) {
        if self.peek == UInt8(ascii: "-") { self.index += 1 }
        if self.peek == UInt8(ascii: "0") { self.index += 1 } else { try self.skipDigits() }
        if self.peek == UInt8(ascii: ".") {
            self.index += 1
            try self.skipDigits()
        }
        if self.peek == UInt8(ascii: "e") || self.peek == UInt8(ascii: "E") {
            self.index += 1
            if self.peek == UInt8(ascii: "+") || self.peek == UInt8(ascii: "-") { self.index += 1 }
            try self.skipDigits()
        }
    }

    /// - Returns: Where the string stands, its quotes included.
    private mutating func skipString() throws(Problem) -> Range<Int> {
        let start = self.index
        guard self.peek == UInt8(ascii: "\"") else { throw self.problem("a string expected") }
        self.index += 1
        while let byte = self.peek {
            self.index += 1
            switch byte {
            case UInt8(ascii: "\""): return start..<self.index
            case UInt8(ascii: "\\"): if self.peek != nil { self.index += 1 }
            case ..<0x20: throw self.problem("a control character in a string")
            default: break
            }
        }
        throw self.problem("a string without end")
    }

    private func unescaped(_ text: ArraySlice<UInt8>) throws(Problem) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                result.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "n"): result.append(0x0A)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "r"): result.append(0x0D)
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "f"): result.append(0x0C)
            case UInt8(ascii: "u"): result.append(contentsOf: String(try self.scalar(&rest)).utf8)
            case let same? where same == UInt8(ascii: "\"") || same == UInt8(ascii: "\\") || same == UInt8(ascii: "/"):
                result.append(same)
            default: throw self.problem("an unknown escape in a string")
            }
        }
        return result
    }

    private func scalar(_ rest: inout ArraySlice<UInt8>) throws(Problem) -> Character {
        let first = try self.unit(&rest)
        var code = UInt32(first)
        if UTF16.isLeadSurrogate(first) {
            guard rest.popFirst() == UInt8(ascii: "\\"), rest.popFirst() == UInt8(ascii: "u") else {
                throw self.problem("half of a surrogate pair")
            }
            let second = try self.unit(&rest)
            guard UTF16.isTrailSurrogate(second) else { throw self.problem("half of a surrogate pair") }
            code = 0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw self.problem("half of a surrogate pair") }
        return Character(scalar)
    }

    private func unit(_ rest: inout ArraySlice<UInt8>) throws(Problem) -> UInt16 {
        let digits = String(decoding: rest.prefix(4), as: UTF8.self)
        guard digits.count == 4, digits.allSatisfy(\.isHexDigit), let unit = UInt16(digits, radix: 16) else {
            throw self.problem("an unknown escape in a string")
        }
        rest = rest.dropFirst(4)
        return unit
    }
}
