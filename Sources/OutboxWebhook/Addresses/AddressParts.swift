import Outbox
import OutboxRuntime

/// The parts of a URL in which there can be templates, as they are written.
struct AddressParts {
    /// `http` or `https`.
    let scheme: String
    /// User and password, encoded; nil: there is no “@”.
    let user: String?
    let password: String?
    let host: String
    let port: Int?
    /// With the slash that it begins with.
    let path: String
    /// What follows the “?”; empty: nothing.
    let query: String

    init(_ text: String) throws(TransportConfigurationError) {
        guard let slashes = text.firstRange(of: "://"),
            ["http", "https"].contains(text[..<slashes.lowerBound].lowercased())
        else {
            throw TransportConfigurationError("an address begins with http:// or https://")
        }
        self.scheme = text[..<slashes.lowerBound].lowercased()
        let rest = text[slashes.upperBound...]
        let authorityEnd = Self.first("/?#", in: rest) ?? rest.endIndex
        let queryStart = Self.first("?", in: rest) ?? rest.endIndex
        if Self.first("#", in: rest) != nil {
            throw TransportConfigurationError("an address has no fragment; as a character, “#” is written %23")
        }
        let path = rest[min(authorityEnd, queryStart)..<queryStart]
        self.path = path.isEmpty ? "/" : String(path)
        self.query = String(rest[queryStart...].dropFirst())
        var authority = rest[..<authorityEnd]
        if let at = Self.last("@", in: authority) {
            let halves = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            self.user = String(halves[0])
            self.password = halves.count == 2 ? String(halves[1]) : nil
            authority = authority[authority.index(after: at)...]
        } else {
            self.user = nil
            self.password = nil
        }
        (self.host, self.port) = try Self.host(authority)
    }

    private static func host(_ authority: Substring) throws(TransportConfigurationError) -> (String, Int?) {
        let bracket = authority.hasPrefix("[") ? authority.lastIndex(of: "]") : nil
        let behind = bracket.map { authority[$0...] } ?? authority
        guard let colon = self.last(":", in: behind) else {
            if authority.isEmpty { throw TransportConfigurationError("the address has no host") }
            return (String(authority), nil)
        }
        guard let port = Int(authority[authority.index(after: colon)...]), (1...65535).contains(port) else {
            throw TransportConfigurationError("a port is a number from 1 to 65535")
        }
        if colon == authority.startIndex { throw TransportConfigurationError("the address has no host") }
        return (String(authority[..<colon]), port)
    }

    /// The first of some characters that is not within braces.
    private static func first(_ characters: String, in text: Substring) -> Substring.Index? {
        var depth = 0
        return text.indices.first { index in
            if text[index] == "{" { depth += 1 }
            if text[index] == "}" { depth -= 1 }
            return depth == 0 && characters.contains(text[index])
        }
    }

    private static func last(_ character: Character, in text: Substring) -> Substring.Index? {
        var depth = 0
        return text.indices.last { index in
            if text[index] == "}" { depth += 1 }
            if text[index] == "{" { depth -= 1 }
            return depth == 0 && text[index] == character
        }
    }
}
