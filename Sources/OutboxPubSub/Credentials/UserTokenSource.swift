/// Refreshes a user's token (https://google.aip.dev/auth/4113).
struct UserTokenSource: TokenSource {
    let user: CredentialFile.User
    let endpoint: TokenEndpoint

    func token() async throws -> PubSubCredentials.Token {
        try await self.endpoint.token(form: [
            ("grant_type", "refresh_token"), ("client_id", self.user.clientID),
            ("client_secret", self.user.clientSecret),
            ("refresh_token", self.user.refreshToken),
        ])
    }
}
