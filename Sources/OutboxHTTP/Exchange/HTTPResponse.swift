/// What came back.
package struct HTTPResponse: Sendable {
    package let status: Int
    /// The lines after the status, as they came; trailers follow.
    private let headerLines: [UInt8]
    package let body: [UInt8]
    /// Whether the body was longer than the client reads, and only its beginning is here.
    package let isCut: Bool

    init(status: Int, headerLines: [UInt8], body: [UInt8], isCut: Bool) {
        self.status = status
        self.headerLines = headerLines
        self.body = body
        self.isCut = isCut
    }

    /// All headers, and trailers, in their order.
    package var headers: [HTTPHeader] {
        self.headerLines.split(separator: 0x0A).compactMap { line in
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
            return HTTPHeader(Self.text(line[..<colon]), Self.text(line[line.index(after: colon)...]))
        }
    }

    /// The value of the last header of that name, in whatever case it is written.
    package func value(of name: String) -> String? {
        var name = name
        return name.withUTF8 { name in
            var value: Range<Int>?
            unsafe self.headerLines.withUnsafeBufferPointer { lines in
                var start = 0
                while start < lines.count {
                    let end = unsafe lines[start...].firstIndex(of: 0x0A) ?? lines.count
                    let colon = start + name.count
                    if colon < end, unsafe lines[colon] == UInt8(ascii: ":"), unsafe Self.isEqual(lines, start, name) {
                        value = (colon + 1)..<end
                    }
                    start = end + 1
                }
            }
            return value.map { Self.text(self.headerLines[$0]) }
        }
    }

    /// Whether a name stands there, in whatever case.
    private static func isEqual(
        _ lines: UnsafeBufferPointer<UInt8>, _ start: Int, _ name: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        for place in 0..<name.count {
            if unsafe self.small(lines[start + place]) != self.small(name[place]) { return false }
        }
        return true
    }

    private static func small(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
        guard let first = bytes.firstIndex(where: { !isSpace($0) }), let last = bytes.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return String(decoding: bytes[first...last], as: UTF8.self)
    }
}
