import HTTPTypes
import Hummingbird

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Who may see the page, and who may change something through it.
///
/// On an address that only this machine reaches, all who reach it may see it. Anywhere else it wants a password.
struct WebAccess: Sendable {
    /// What a request is answered with.
    enum Decision: Sendable, Hashable {
        /// It is served, to a user of that name.
        case admitted(user: String)
        /// A name and a password are asked for. They may have been given, and be wrong.
        case challenged(isWrong: Bool)
        /// It is not served, whatever is given.
        case refused(reason: String)
    }

    /// The shortest password: shorter ones can be guessed.
    static let shortestPassword = 12

    /// What has to be given; nil: nothing.
    private let password: [UInt8]?
    /// Whether only this machine reaches the page.
    private let isLoopback: Bool
    /// What a form of this process has in it, which a page of another origin cannot know.
    let formToken: String

    init(password: String?, isLoopback: Bool) {
        self.password = password.map { Array($0.utf8) }
        self.isLoopback = isLoopback
        var random = SystemRandomNumberGenerator()
        self.formToken = (0..<4).map { _ in
            let digits = String(random.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// Decides about a request by its head.
    ///
    /// - Parameters:
    ///   - authorization: The header of that name.
    ///   - host: What the browser takes the server to be called, with a port or without.
    ///   - isForwarded: Whether it says that a proxy has sent it on: it may come from anywhere.
    func decide(authorization: String?, host: String?, isForwarded: Bool = false) -> Decision {
        guard let password else { return self.decideWithoutPassword(isForwarded ? nil : host) }
        guard let authorization, let given = Self.credentials(authorization) else { return .challenged(isWrong: false) }
        return Self.isEqual(given.password, password)
            ? .admitted(user: given.user) : .challenged(isWrong: true)
    }

    /// Whether a request that is to change something comes from a form of this process: not from a page of another site that the browser shows as well.
    ///
    /// - Parameter site: What the browser says of where it comes from, the header `Sec-Fetch-Site`; nil: an old one, or a program.
    func isOwnForm(token: String?, site: String?) -> Bool {
        guard let token, Self.isEqual(Array(token.utf8), Array(self.formToken.utf8)) else { return false }
        return site == nil || site == "same-origin" || site == "none"
    }

    private func decideWithoutPassword(_ host: String?) -> Decision {
        guard self.isLoopback else {
            return .refused(
                reason: """
                    The page is for this machine alone unless it has a password: web_password_file in the configuration, --web-password-file \
                    FILE, or OUTBOX_WEB_PASSWORD.
                    """)
        }
        // A site of somewhere else can have its name lead here; then it is that name by which the browser asks.
        guard let host, Self.isLoopbackName(host) else {
            return .refused(
                reason: """
                    Without a password the page answers to localhost, 127.0.0.1 and [::1] alone, and to no proxy. For another name, or behind one, give it a password: \
                    web_password_file in the configuration, --web-password-file FILE, or OUTBOX_WEB_PASSWORD.
                    """)
        }
        return .admitted(user: "local")
    }

    private static func isLoopbackName(_ host: String) -> Bool {
        var name = host.lowercased()
        if name.hasPrefix("[") {
            guard let end = name.firstIndex(of: "]") else { return false }
            let rest = name[name.index(after: end)...]
            return name[...end] == "[::1]" && Self.isPort(rest)
        }
        if let colon = name.firstIndex(of: ":") {
            guard Self.isPort(name[colon...]) else { return false }
            name = String(name[..<colon])
        }
        if name == "localhost" { return true }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.isEmpty || (text.first == ":" && text.dropFirst().allSatisfy { $0.isASCII && $0.isNumber })
    }

    /// The name and the password of a header: `Basic`, of a person, or `Bearer`, of a program.
    private static func credentials(_ header: String) -> (user: String, password: [UInt8])? {
        let parts = header.split(separator: " ", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return nil }
        let value = parts[1].drop { $0 == " " }
        switch parts[0].lowercased() {
        case "bearer": return ("token", Array(value.utf8))
        case "basic":
            guard let data = Data(base64Encoded: String(value)), let colon = data.firstIndex(of: UInt8(ascii: ":"))
            else { return nil }
            let user = String(decoding: data[..<colon], as: UTF8.self).plain(60)
            return (user.isEmpty ? "unnamed" : user, Array(data[data.index(after: colon)...]))
        default: return nil
        }
    }

    /// Compares in a time that does not say how much is right.
    private static func isEqual(_ given: [UInt8], _ expected: [UInt8]) -> Bool {
        var difference = given.count ^ expected.count
        for (index, byte) in expected.enumerated() {
            difference |= Int(byte ^ (index < given.count ? given[index] : ~byte))
        }
        return difference == 0
    }
}

extension HTTPFields {
    /// What a browser says of where a request comes from: `same-origin`, `cross-site` and so on; nil: an old one, or a program.
    var fetchSite: String? { HTTPField.Name("Sec-Fetch-Site").flatMap { self[$0] } }

    /// What a browser says of what it asks for: `navigate` for a page to be shown.
    var fetchMode: String? { HTTPField.Name("Sec-Fetch-Mode").flatMap { self[$0] } }

    /// Whether a proxy says that it has sent the request on.
    var areForwarded: Bool {
        self.contains { field in
            let name = field.name.canonicalName
            return name == "forwarded" || name == "via" || name == "x-real-ip" || name.hasPrefix("x-forwarded-")
        }
    }
}
