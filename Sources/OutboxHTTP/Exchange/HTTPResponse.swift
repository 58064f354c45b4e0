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
        self.headers.last { $0.name.utf8.count == name.utf8.count && $0.name.lowercased() == name.lowercased() }?.value
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        var bytes = bytes
        while let last = bytes.last, last == 0x20 || last == 0x09 || last == 0x0D { bytes.removeLast() }
        return String(decoding: bytes.drop { $0 == 0x20 || $0 == 0x09 }, as: UTF8.self)
    }
}
