/// The address of a broker, with all its hosts: `scheme://user:password@host:port,host:port/path?name=value`.
///
/// Unlike a URL it can have several hosts, and no fragment: a “#” in a parameter is one. What is wrong is said without repeating what
/// could be a password.
package struct BrokerURL: Sendable, Hashable {
    package struct Host: Sendable, Hashable, CustomStringConvertible {
        /// A name or an address; one of IPv6 without its brackets.
        package let name: String
        package let port: Int

        package init(name: String, port: Int) {
            self.name = name
            self.port = port
        }

        package var description: String {
            self.name.contains(":") ? "[\(self.name)]:\(self.port)" : "\(self.name):\(self.port)"
        }
    }

    package struct Parameter: Sendable, Hashable {
        package let name: String
        package let value: String
    }

    package let scheme: String
    package let user: String?
    package let password: String?
    package let hosts: [Host]
    /// What follows the slash after the hosts, decoded; nil: there is no slash.
    package let path: String?
    /// In the order of the text.
    package let parameters: [Parameter]

    /// Reads an address.
    ///
    /// - Parameter ports: The schemes that can be used, with the port of hosts that give none.
    /// - Throws: A ``InvalidText``.
    package init(_ text: String, ports: [String: Int]) throws(InvalidText) {
        let names = ports.keys.sorted()
        guard let colon = text.firstRange(of: "://") else {
            throw InvalidText(
                "an address begins with \(names.map { $0 + "://" }.joined(separator: " or "))")
        }
        let scheme = text[..<colon.lowerBound].lowercased()
        guard let defaultPort = ports[scheme] else {
            if let (name, nearest) = Redaction.misspelling(scheme, of: names) {
                throw InvalidText(
                    "“\(name)” is no scheme of an address here; did you mean “\(nearest)”?")
            }
            throw InvalidText(
                "an address begins with \(names.map { $0 + "://" }.joined(separator: " or "))")
        }
        var rest = text[colon.upperBound...]
        var parameters: [Parameter] = []
        if let mark = rest.firstIndex(of: "?") {
            parameters = try Self.parameters(rest[rest.index(after: mark)...])
            rest = rest[..<mark]
        }
        if rest.contains("#") {
            throw InvalidText(
                "before the parameters of an address, as in a password, “#” is written %23")
        }
        var path: String?
        if let slash = rest.firstIndex(of: "/") {
            let text = rest[rest.index(after: slash)...]
            // More likely it is the end of a password that has a slash in it, and what stands before is no host.
            if text.contains("@") {
                throw InvalidText("in a password “/” is written %2F, and in a path “@” is written %40")
            }
            path = try Self.decoded(text, "the path")
            rest = rest[..<slash]
        }
        var user: String?
        var password: String?
        if let at = rest.lastIndex(of: "@") {
            let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            user = try Self.decoded(parts[0], "the user's name")
            if parts.count == 2 { password = try Self.decoded(parts[1], "the password") }
            rest = rest[rest.index(after: at)...]
        }
        self.scheme = scheme
        self.user = user
        self.password = password
        self.path = path
        self.parameters = parameters
        var hosts: [Host] = []
        for host in rest.split(separator: ",", omittingEmptySubsequences: false) {
            hosts.append(try Self.host(host, defaultPort: defaultPort))
        }
        self.hosts = hosts
    }

    /// The same address with another user and password.
    ///
    /// - Parameter text: The address that this was read from.
    package static func address(_ text: String, user: String, password: String) -> String {
        guard let colon = text.firstRange(of: "://") else { return text }
        let rest = text[colon.upperBound...]
        let end = rest.firstIndex { "/?".contains($0) } ?? rest.endIndex
        let hosts = rest[..<end].lastIndex(of: "@").map { rest.index(after: $0) } ?? rest.startIndex
        return "\(text[..<colon.upperBound])\(Self.encoded(user)):\(Self.encoded(password))@\(rest[hosts...])"
    }

    private static func encoded(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                encoded += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return encoded
    }

    private static func parameters(_ text: Substring) throws(InvalidText) -> [Parameter] {
        var parameters: [Parameter] = []
        // They are counted, not named: a “?” in a password makes the rest of it a parameter.
        for (index, item) in text.split(separator: "&").enumerated() {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = try self.decoded(parts[0], "the name of parameter \(index + 1)")
            guard parts.count == 2, !name.isEmpty else {
                throw InvalidText("parameter \(index + 1) has no name or no value: NAME=VALUE")
            }
            parameters.append(Parameter(name: name, value: try self.decoded(parts[1], "parameter \(index + 1)")))
        }
        return parameters
    }

    private static func host(_ text: Substring, defaultPort: Int) throws(InvalidText) -> Host {
        var name = text
        var port: Substring?
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else {
                throw InvalidText("a host’s bracket is not closed")
            }
            name = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            if rest.first == ":" {
                port = rest.dropFirst()
            } else if !rest.isEmpty {
                throw InvalidText("after a host’s bracket comes a colon and the port")
            }
        } else if let colon = text.lastIndex(of: ":") {
            name = text[..<colon]
            port = text[text.index(after: colon)...]
            if name.contains(":") {
                throw InvalidText("a host is NAME:PORT; an address of IPv6 stands in brackets")
            }
        }
        if name.isEmpty { throw InvalidText("a host has no name") }
        guard let port else { return Host(name: try self.decoded(name, "a host"), port: defaultPort) }
        guard let number = Int(port), (1...65535).contains(number) else {
            throw InvalidText("a port is a number from 1 to 65535")
        }
        return Host(name: try self.decoded(name, "a host"), port: number)
    }

    private static func decoded(_ text: Substring, _ what: String) throws(InvalidText) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let digits = String(rest.prefix(2)), digits.count == 2, digits.allSatisfy(\.isHexDigit),
                let value = UInt8(digits, radix: 16)
            else {
                throw InvalidText("\(what): a percent sign is followed by two hexadecimal digits")
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw InvalidText("\(what) is no text in UTF-8, or contains a NUL")
        }
        return decoded
    }
}
