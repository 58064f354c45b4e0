import OutboxHTTP
import OutboxRuntime

/// What a service account signs (RFC 7519, RS256).
struct JSONWebToken {
    /// For how long Google takes one, at most.
    static let lifetime = 3600

    let issuer: String
    /// nil: none.
    let subject: String?
    let audience: String
    /// nil: none.
    let scope: String?
    /// Seconds since 1970.
    let issuedAt: Int

    func signed(by key: RSAKey, id: String?) throws(InvalidText) -> String {
        var header = JSONWriter()
        header.beginObject()
        header.name("alg")
        header.string("RS256")
        header.name("typ")
        header.string("JWT")
        if let id {
            header.name("kid")
            header.string(id)
        }
        header.endObject()
        let text = Base64.encodedForURL(header.bytes) + "." + Base64.encodedForURL(self.claims)
        return text + "." + Base64.encodedForURL(try key.signatureSHA256(of: Array(text.utf8)))
    }

    private var claims: [UInt8] {
        var claims = JSONWriter()
        claims.beginObject()
        claims.name("iss")
        claims.string(self.issuer)
        if let subject {
            claims.name("sub")
            claims.string(subject)
        }
        claims.name("aud")
        claims.string(self.audience)
        if let scope {
            claims.name("scope")
            claims.string(scope)
        }
        claims.name("iat")
        claims.integer(self.issuedAt)
        claims.name("exp")
        claims.integer(self.issuedAt + Self.lifetime)
        claims.endObject()
        return claims.bytes
    }
}
