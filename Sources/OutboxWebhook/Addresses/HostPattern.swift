import Outbox

/// Which hosts may come out of a template: a name, all names under one (`*.example.com`), or all (`*`).
struct HostPattern: Sendable, Hashable {
    private enum Kind: Hashable {
        case all
        case name(String)
        /// With the dot.
        case suffix(String)
    }

    private let kind: Kind

    init(_ text: String) throws(TransportConfigurationError) {
        let name = text.lowercased()
        if name == "*" {
            self.kind = .all
        } else if name.hasPrefix("*."), HostName.isName(name.dropFirst(2)) {
            self.kind = .suffix(String(name.dropFirst()))
        } else if HostName.isName(name) {
            self.kind = .name(name)
        } else {
            throw TransportConfigurationError("“hosts” has names of hosts, such as hooks.example.com or *.example.com")
        }
    }

    /// - Parameter host: In small letters, as ``HostName/normalized(_:)`` leaves it.
    func matches(_ host: String) -> Bool {
        switch self.kind {
        case .all: true
        case .name(let name): name == host
        case .suffix(let suffix): host.hasSuffix(suffix) && host.utf8.count > suffix.utf8.count
        }
    }
}

/// Names of hosts, and addresses in place of one.
enum HostName {
    /// A host as a URL has it, in small letters: a name, an address of IPv4, or one of IPv6 in brackets.
    ///
    /// - Returns: nil: it is none. A name that is not ASCII is written in Punycode.
    static func normalized(_ text: String) -> String? {
        let host = text.lowercased()
        if host.hasPrefix("["), host.hasSuffix("]") {
            let address = host.dropFirst().dropLast()
            let isAddress =
                address.contains(":")
                && address.utf8.allSatisfy { PercentEncoding.isHexadecimal($0) || ":.".utf8.contains($0) }
            return isAddress ? host : nil
        }
        return self.isName(host) ? host : nil
    }

    static func isName(_ text: some StringProtocol) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        return text.utf8.count <= 253
            && labels.allSatisfy { label in
                !label.isEmpty && label.utf8.count <= 63
                    && label.utf8.allSatisfy { PercentEncoding.isAlphanumeric($0) || "-_".utf8.contains($0) }
            }
    }
}
