import OutboxHTTP
import OutboxRuntime

/// A role that STS gives for the token of another identity provider.
extension CredentialFetcher {
    /// What the environment says.
    func ofWebIdentity() async throws -> AWSCredentials {
        guard let file = self.surroundings["AWS_WEB_IDENTITY_TOKEN_FILE"] else {
            throw CredentialError(.notConfigured, "AWS_WEB_IDENTITY_TOKEN_FILE is not set")
        }
        guard let role = self.surroundings["AWS_ROLE_ARN"] else {
            throw CredentialError(.invalid, "AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not")
        }
        return try await self.assume(role, tokenFile: file, session: self.surroundings["AWS_ROLE_SESSION_NAME"])
    }

    /// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
    func assume(_ role: String, tokenFile: String, session: String?) async throws -> AWSCredentials {
        // Read each time: the token is replaced before it expires.
        guard let token = self.surroundings.text(ofFile: tokenFile) else {
            throw CredentialError(.invalid, "the file with the web identity’s token cannot be read")
        }
        let endpoint = try ServiceEndpoint(
            .sts, given: nil, region: self.region, self.surroundings,
            SharedProfile(self.profileName, self.surroundings))
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"), ("Version", "2011-06-15"), ("RoleArn", role),
            ("RoleSessionName", session ?? "swift-outbox"),
            ("WebIdentityToken", String(token.split(whereSeparator: \.isNewline).first ?? "")),
        ]
        let body = form.map { "\($0.0)=\(FormText.encoded($0.1))" }.joined(separator: "&")
        let request = HTTPRequest(
            "POST", endpoint.url, headers: [HTTPHeader("content-type", "application/x-www-form-urlencoded")],
            body: Array(body.utf8))
        let answer = String(decoding: try await self.send(request, to: "STS", self.http), as: UTF8.self)
        guard let id = XMLText.element("AccessKeyId", of: answer),
            let secret = XMLText.element("SecretAccessKey", of: answer),
            let sessionToken = XMLText.element("SessionToken", of: answer)
        else { throw CredentialError(.failed, "STS answered with something that is no access key") }
        return try CredentialAnswer.credentials(
            id, secret, sessionToken, expiration: XMLText.element("Expiration", of: answer), from: "STS")
    }
}
