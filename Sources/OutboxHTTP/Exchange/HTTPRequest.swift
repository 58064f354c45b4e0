/// A header of a request or a response.
package struct HTTPHeader: Sendable, Hashable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// What is sent.
package struct HTTPRequest: Sendable {
    package var method: String
    /// With a scheme, http or https, and without a user.
    package var url: String
    /// One that has a line break or a NUL is refused.
    package var headers: [HTTPHeader]
    package var body: [UInt8]
    /// The longest time from its first connection to the end of its answer; nil: the client's.
    package var timeout: Duration?
    /// Asked on the client's thread when it is the request's turn: a reason not to send it, with which it fails as
    /// ``HTTPFailure/Kind/withdrawn``; nil: it is sent. Requests to a host that is found to be down need not be tried one by one.
    package var admission: (@Sendable () -> String?)?
    /// Asked on the client's thread when it is the request's turn: further headers, such as a signature that has the time in it. They
    /// have no line break and no NUL.
    package var headersOfItsTurn: (@Sendable () -> [HTTPHeader])?

    package init(
        _ method: String = "POST", _ url: String, headers: [HTTPHeader] = [], body: [UInt8] = [],
        timeout: Duration? = nil,
        admission: (@Sendable () -> String?)? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.admission = admission
    }
}

extension HTTPRequest {
    /// Scheme, host and port as they are written, in small letters: what shares connections.
    package var origin: String? { Self.origin(of: self.url) }

    /// The origin of an address; nil: it has none, or a user's name, which would be sent.
    package static func origin(of url: String) -> String? {
        var url = url
        let origin = url.withUTF8 { bytes in unsafe self.origin(of: bytes) }
        guard let origin else { return nil }
        let text = origin.isSmall ? origin.text : origin.text.lowercased()
        guard let scheme = ["http://", "https://"].first(where: { text.hasPrefix($0) }) else { return nil }
        return text.utf8.count > scheme.utf8.count ? text : nil
    }

    private static func origin(of url: UnsafeBufferPointer<UInt8>) -> (text: String, isSmall: Bool)? {
        var slashes = 0
        var end = 0
        var isSmall = true
        loop: while end < url.count {
            switch unsafe url[end] {
            case UInt8(ascii: "/"):
                // The two behind the scheme are the first.
                slashes += 1
                if slashes == 3 { break loop }
            case UInt8(ascii: "?"), UInt8(ascii: "#"): break loop
            case UInt8(ascii: "@"): return nil
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): isSmall = false
            default: break
            }
            end += 1
        }
        return (unsafe String(decoding: UnsafeBufferPointer(rebasing: url[..<end]), as: UTF8.self), isSmall)
    }

    /// The host's name or address, without brackets and port.
    package var host: String? {
        guard let origin else { return nil }
        let authority = origin.dropFirst(origin.hasPrefix("https") ? 8 : 7)
        if authority.first == "[", let end = authority.firstIndex(of: "]") {
            return String(authority[authority.index(after: authority.startIndex)..<end])
        }
        return String(authority.prefix { $0 != ":" })
    }

    /// What keeps it from being sent; nil: nothing.
    var defect: String? {
        if self.method.isEmpty || !self.method.utf8.allSatisfy({ HTTPHeader.isTokenByte($0) }) {
            return "the method is none"
        }
        if !Self.isText(self.url) { return "the address has a line break or a NUL" }
        for header in self.headers {
            if header.name.isEmpty || !header.name.utf8.allSatisfy({ HTTPHeader.isTokenByte($0) }) {
                return "“\(header.name)” cannot be the name of a header"
            }
            if !Self.isText(header.value) { return "the header “\(header.name)” has a line break or a NUL" }
        }
        return nil
    }

    private static func isText(_ text: String) -> Bool {
        let isText = unsafe text.utf8.withContiguousStorageIfAvailable { bytes in
            // All of it, without a way out of the loop: several bytes at a time are looked at so.
            var others = 0
            for index in 0..<bytes.count {
                let byte = unsafe bytes[index]
                others |= byte == 0 || byte == 0x0A || byte == 0x0D ? 1 : 0
            }
            return others == 0
        }
        return isText ?? !text.utf8.contains { $0 == 0 || $0 == 0x0A || $0 == 0x0D }
    }
}

extension HTTPHeader {
    /// Whether a byte can be part of a name or a method (RFC 9110, token).
    package static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
            true
        default: "!#$%&'*+.^_`|~".utf8.contains(byte)
        }
    }
}
