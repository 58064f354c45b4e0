/// The parts of an address that are signed.
struct SignedAddress {
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
