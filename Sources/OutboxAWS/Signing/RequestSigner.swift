import OutboxHTTP

/// Signs requests with Signature Version 4.
///
/// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
struct RequestSigner: Sendable {
    /// The name of the service as signatures have it, such as `sqs`.
    let service: String
    let region: String

    /// The request with the time, the session's token and the signature as headers. All headers that it has are signed, and the host.
    func signed(_ request: HTTPRequest, with credentials: AWSCredentials, at time: UTCTime) -> HTTPRequest {
        var request = request
        request.headers.append(HTTPHeader("x-amz-date", time.basic))
        if let token = credentials.sessionToken { request.headers.append(HTTPHeader("x-amz-security-token", token)) }
        let (canonical, names) = Self.canonicalForm(of: request)
        let scope = "\(time.day)/\(self.region)/\(self.service)/aws4_request"
        let text =
            "AWS4-HMAC-SHA256\n\(time.basic)\n\(scope)\n" + Hexadecimal.encoded(Digest.sha256(Array(canonical.utf8)))
        var key = Array("AWS4\(credentials.secretAccessKey)".utf8)
        for part in [time.day, self.region, self.service, "aws4_request", text] {
            key = Digest.hmacSHA256(Array(part.utf8), key: key)
        }
        request.headers.append(
            HTTPHeader(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=\(credentials.accessKeyID)/\(scope), SignedHeaders=\(names), "
                    + "Signature=\(Hexadecimal.encoded(key))"))
        return request
    }

    /// Whether a request was signed with these credentials.
    static func isSigned(_ request: HTTPRequest, with credentials: AWSCredentials) -> Bool {
        func value(_ name: String) -> String? { request.headers.first { $0.name == name }?.value }
        return value("authorization")?.contains("Credential=\(credentials.accessKeyID)/") == true
            && value("x-amz-security-token") == credentials.sessionToken
    }

    /// What a signature is over, and the names of the signed headers.
    static func canonicalForm(of request: HTTPRequest) -> (text: String, signedHeaders: String) {
        let url = URLParts(request.url)
        var headers = request.headers.map { ($0.name.lowercased(), Self.collapsed($0.value)) }
        headers.append(("host", url.host))
        headers.sort { $0.0 < $1.0 }
        let names = headers.map(\.0).joined(separator: ";")
        let lines =
            [request.method, url.canonicalPath, url.canonicalQuery]
            + headers.map { "\($0):\($1)" } + ["", names, Hexadecimal.encoded(Digest.sha256(request.body))]
        return (lines.joined(separator: "\n"), names)
    }

    /// Without spaces around it, and with one where there are several.
    private static func collapsed(_ value: String) -> String {
        value.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }
}

/// The parts of an address that are signed.
private struct URLParts {
    /// With its port, where it is not that of the scheme: as the header `host` has it.
    let host: String
    let canonicalPath: String
    let canonicalQuery: String

    init(_ url: String) {
        let begin = url.firstRange(of: "://")?.upperBound ?? url.startIndex
        var rest = url[begin...]
        let end = rest.firstIndex { "/?".contains($0) } ?? rest.endIndex
        var host = rest[..<end].lowercased()
        for (scheme, port) in [("https://", ":443"), ("http://", ":80")]
        where url.lowercased().hasPrefix(scheme) && host.hasSuffix(port) {
            host.removeLast(port.count)
        }
        self.host = host
        rest = rest[end...]
        let mark = rest.firstIndex(of: "?")
        let path = rest[..<(mark ?? rest.endIndex)]
        // Encoded once more, whatever it is: for every service but S3.
        self.canonicalPath = path.isEmpty ? "/" : Self.encoded(path.utf8, keeping: "/")
        self.canonicalQuery = mark.map { Self.query(rest[rest.index(after: $0)...]) } ?? ""
    }

    private static func query(_ text: Substring) -> String {
        let pairs = text.split(separator: "&").map { item in
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (self.encoded(self.decoded(parts[0])), parts.count == 2 ? self.encoded(self.decoded(parts[1])) : "")
        }
        return pairs.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map { "\($0)=\($1)" }.joined(separator: "&")
    }

    private static func decoded(_ text: Substring) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let digits = String(rest.prefix(2)), let value = UInt8(digits, radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }

    private static func encoded(_ bytes: some Sequence<UInt8>, keeping kept: String = "") -> String {
        var text = ""
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            case _ where kept.utf8.contains(byte):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return text
    }
}
