import Outbox
import OutboxHTTP

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Finds the source of tokens that credentials name.
struct TokenSources {
    private let client: HTTPClient
    /// Connects without a proxy, which would not reach the machine's own server.
    private let directClient: HTTPClient
    private let environment: [String: String]

    /// - Parameter environment: The process's variables.
    init(_ configuration: PubSubConfiguration, environment: [String: String]) throws(TransportConfigurationError) {
        var http = HTTPConfiguration(tokensOf: configuration)
        self.client = try HTTPClient(http)
        http.proxy = ""
        self.directClient = try HTTPClient(http)
        self.environment = environment
    }

    /// Where tokens come from, and who is charged for requests.
    struct Found {
        let source: any TokenSource
        /// Has to run for the source.
        let client: HTTPClient
        let quotaProject: String?
    }

    private static let fileVariable = "GOOGLE_APPLICATION_CREDENTIALS"

    /// - Returns: nil: nothing is shown.
    /// - Throws: A `TransportConfigurationError` for a file that cannot be used.
    func source(of credentials: PubSubCredentials) throws(TransportConfigurationError) -> Found? {
        switch credentials.kind {
        case .none: return nil
        case .custom(let body):
            return Found(source: CustomTokenSource(body: body), client: self.client, quotaProject: nil)
        case .metadataServer: return self.metadata(explanation: "")
        case .file(let path): return self.found(try CredentialFile(path: path), credentials)
        case .applicationDefault:
            if let path = self.environment[Self.fileVariable], !path.isEmpty {
                return self.found(try CredentialFile(path: path), credentials)
            }
            if let path = self.wellKnownPath, FileManager.default.fileExists(atPath: path) {
                return self.found(try CredentialFile(path: path), credentials)
            }
            return self.metadata(
                explanation:
                    "no credentials: \(Self.fileVariable) is not set, “gcloud auth application-default login” has left no"
                    + " file, and ")
        }
    }

    /// Where `gcloud auth application-default login` writes.
    private var wellKnownPath: String? {
        let name = "application_default_credentials.json"
        if let folder = self.environment["CLOUDSDK_CONFIG"], !folder.isEmpty { return "\(folder)/\(name)" }
        return self.environment["HOME"].map { "\($0)/.config/gcloud/\(name)" }
    }

    private func metadata(explanation: String) -> Found {
        let source = MetadataTokenSource(
            client: self.directClient, host: self.environment[MetadataTokenSource.hostVariable],
            explanation: explanation)
        return Found(
            source: source, client: self.directClient, quotaProject: self.environment["GOOGLE_CLOUD_QUOTA_PROJECT"])
    }

    private func found(_ file: CredentialFile, _ credentials: PubSubCredentials) -> Found {
        let project = self.environment["GOOGLE_CLOUD_QUOTA_PROJECT"] ?? file.quotaProject
        return Found(
            source: self.source(of: file, scope: TokenScope.pubSub, exchanges: credentials.exchangesTokens),
            client: self.client, quotaProject: project)
    }

    private func source(of file: CredentialFile, scope: String, exchanges: Bool) -> any TokenSource {
        switch file {
        case .serviceAccount(let account):
            let endpoint = self.endpoint("Google’s token server", account.tokenURL)
            return ServiceAccountTokenSource(
                account: account, exchange: exchanges ? .init(endpoint: endpoint, scope: scope) : nil)
        case .user(let user):
            return UserTokenSource(user: user, endpoint: self.endpoint("Google’s token server", user.tokenURL))
        case .federation(let federation):
            let own = FederationTokenSource(
                federation: federation, endpoint: self.endpoint("the security token service", federation.tokenURL),
                scope: federation.impersonationURL == nil ? scope : TokenScope.cloudPlatform)
            guard let url = federation.impersonationURL else { return own }
            return self.impersonation(url, source: own, lifetime: federation.impersonationLifetime)
        case .impersonation(let impersonation):
            let source = self.source(of: impersonation.source, scope: TokenScope.cloudPlatform, exchanges: true)
            return self.impersonation(impersonation.url, source: source, lifetime: nil)
        }
    }

    private func impersonation(_ url: String, source: any TokenSource, lifetime: Int?) -> ImpersonationTokenSource {
        ImpersonationTokenSource(
            source: source, endpoint: self.endpoint("the service of service accounts", url),
            lifetime: min(max(lifetime ?? 3600, 600), 43_200))
    }

    private func endpoint(_ name: String, _ url: String) -> TokenEndpoint {
        TokenEndpoint(client: self.client, name: name, url: url)
    }
}
