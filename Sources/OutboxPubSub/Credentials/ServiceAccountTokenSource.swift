import OutboxHTTP
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Signs tokens with a service account's key (https://google.aip.dev/auth/4111), or signs for one that Google issues
/// (https://google.aip.dev/auth/4112).
struct ServiceAccountTokenSource: TokenSource {
    let account: CredentialFile.ServiceAccount
    /// Issues tokens of a scope; nil: the account signs tokens itself, of which none has a scope.
    let exchange: Exchange?

    /// Who issues tokens, and for what.
    struct Exchange: Sendable {
        let endpoint: TokenEndpoint
        let scope: String
    }

    func token() async throws -> PubSubCredentials.Token {
        guard let exchange else {
            return PubSubCredentials.Token(
                try self.signed(subject: self.account.email, audience: TokenScope.audience, scope: nil),
                expiresIn: .seconds(JSONWebToken.lifetime))
        }
        let assertion = try self.signed(subject: nil, audience: exchange.endpoint.url, scope: exchange.scope)
        return try await exchange.endpoint.token(form: [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion),
        ])
    }

    private func signed(subject: String?, audience: String, scope: String?) throws(TokenFailure) -> String {
        let token = JSONWebToken(
            issuer: self.account.email, subject: subject, audience: audience, scope: scope,
            issuedAt: Int(Date().timeIntervalSince1970))
        do throws(InvalidText) {
            return try token.signed(by: self.account.key, id: self.account.keyID)
        } catch {
            throw TokenFailure("the key of \(self.account.email) does not sign: \(error)")
        }
    }
}
