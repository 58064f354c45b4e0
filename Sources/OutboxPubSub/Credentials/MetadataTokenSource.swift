import OutboxHTTP

/// Asks the metadata server of the machine (https://google.aip.dev/auth/4115).
struct MetadataTokenSource: TokenSource {
    /// The environment variable that names the server.
    static let hostVariable = "GCE_METADATA_HOST"

    private let endpoint: TokenEndpoint
    private let explanation: String

    /// - Parameters:
    ///   - host: Of the server, perhaps with a port; nil: the usual one.
    ///   - explanation: What precedes an error: why this server was asked.
    init(client: HTTPClient, host: String?, explanation: String) {
        self.explanation = explanation
        let host = host ?? ""
        self.endpoint = TokenEndpoint(
            client: client, name: "the metadata server",
            url: "http://\(host.isEmpty ? "metadata.google.internal" : host)"
                + "/computeMetadata/v1/instance/service-accounts/default/token")
    }

    func token() async throws -> PubSubCredentials.Token {
        do {
            return try await self.endpoint.token(
                HTTPRequest(
                    "GET", self.endpoint.url, headers: [HTTPHeader("metadata-flavor", "Google")], timeout: .seconds(5)))
        } catch let failure as TokenFailure {
            throw TokenFailure(self.explanation + failure.description)
        }
    }
}
