import Foundation
import Testing

@testable import OutboxCLI

/// Who may see the page.
@Suite(.timeLimit(.minutes(1))) struct WebAccessTests {
    private static let password = "correct horse battery"

    private func basic(_ text: String) -> String { "Basic " + Data(text.utf8).base64EncodedString() }

    @Test(arguments: [
        "localhost", "localhost:9465", "LOCALHOST", "127.0.0.1", "127.0.0.1:9465", "127.1.2.3:1", "[::1]", "[::1]:9465",
    ])
    func thisMachineNeedsNoPassword(_ host: String) {
        let access = WebAccess(password: nil, isLoopback: true)
        #expect(access.decide(authorization: nil, host: host) == .admitted(user: "local"))
        #expect(access.decide(authorization: "Basic %%%", host: host) == .admitted(user: "local"))
    }

    /// A name that leads here is one that a site of somewhere else may have.
    @Test(arguments: [
        "evil.example", "evil.example:9465", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1x",
        "127.0.0",
        "[::1].evil.example", "[::2]", "[::1", "localhost:x", "0.0.0.0", "10.0.0.1", "", "127.0.0.256",
        "127.0.0.1:80:90",
    ])
    func withoutAPasswordNoOtherNameIsAnsweredTo(_ host: String) {
        let decision = WebAccess(password: nil, isLoopback: true).decide(authorization: nil, host: host)
        guard case .refused = decision else { return #expect(Bool(false), "\(host): \(decision)") }
    }

    @Test func anAddressThatOthersReachWantsAPassword() {
        let access = WebAccess(password: nil, isLoopback: false)
        for host in ["localhost", "outbox.example", nil] {
            guard case .refused = access.decide(authorization: self.basic("a:b"), host: host) else {
                return #expect(Bool(false), "\(host ?? "no host")")
            }
        }
    }

    @Test(arguments: [true, false]) func aPasswordAdmitsWhoHasIt(isLoopback: Bool) {
        let access = WebAccess(password: Self.password, isLoopback: isLoopback)
        func decide(_ header: String?) -> WebAccess.Decision {
            access.decide(authorization: header, host: "any.example")
        }
        #expect(decide(nil) == .challenged(isWrong: false))
        #expect(decide(self.basic("ada:\(Self.password)")) == .admitted(user: "ada"))
        #expect(decide(self.basic("a\u{7}\nda:\(Self.password)")) == .admitted(user: "a\u{FFFD} da"))
        #expect(decide(self.basic(":\(Self.password)")) == .admitted(user: "unnamed"))
        #expect(decide("bearer \(Self.password)") == .admitted(user: "token"))
        #expect(decide("basic " + Data("a:\(Self.password)".utf8).base64EncodedString()) == .admitted(user: "a"))
        for wrong in [
            self.basic("ada:"), self.basic("ada:correct horse batterz"), self.basic("ada:\(Self.password) "),
            self.basic("ada:\(Self.password.dropLast())"), self.basic("ada:\(Self.password)\(Self.password)"),
            self.basic("ada: \(Self.password)"), "Bearer \(Self.password.uppercased())",
        ] {
            #expect(decide(wrong) == .challenged(isWrong: true), "\(wrong)")
        }
        for none in ["", "Basic", "Basic %%%", "Basic " + Data("nocolon".utf8).base64EncodedString(), "Digest x"] {
            #expect(decide(none) == .challenged(isWrong: false), "\(none)")
        }
    }

    @Test func aFormOfAnotherPageIsNone() {
        let access = WebAccess(password: nil, isLoopback: true)
        let token = access.formToken
        #expect(token.count == 64 && token != WebAccess(password: nil, isLoopback: true).formToken)
        for site in [nil, "same-origin", "none"] { #expect(access.isOwnForm(token: token, site: site)) }
        for site in ["cross-site", "same-site", ""] { #expect(!access.isOwnForm(token: token, site: site)) }
        for wrong in [
            nil, "", String(token.dropLast()), token + "0", token.uppercased() + "x", String(token.reversed()),
        ] {
            #expect(!access.isOwnForm(token: wrong, site: "same-origin"))
        }
    }
}
