import OutboxHTTP

/// Where tokens come from.
protocol TokenSource: Sendable {
    /// A new token.
    ///
    /// - Throws: A ``TokenFailure``; `CancellationError`.
    func token() async throws -> PubSubCredentials.Token
}

/// What a token is for.
enum TokenScope {
    /// https://developers.google.com/identity/protocols/oauth2/scopes#pubsub
    static let pubSub = "https://www.googleapis.com/auth/pubsub"
    /// Of tokens that are exchanged for another one, which has the scope above.
    static let cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"
    /// For whom a token is that a service account signs itself.
    static let audience = "https://pubsub.googleapis.com/"
}

/// Asks a closure of the application.
struct CustomTokenSource: TokenSource {
    let body: @Sendable () async throws -> PubSubCredentials.Token

    func token() async throws -> PubSubCredentials.Token {
        do {
            return try await self.body()
        } catch let error as CancellationError {
            throw error
        } catch {
            throw TokenFailure("the application has no token: \(error)")
        }
    }
}
