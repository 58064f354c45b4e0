/// How a ``PubSubTransport`` shows Google who it is.
public struct PubSubCredentials: Sendable {
    enum Kind: Sendable {
        case applicationDefault
        case file(String)
        case metadataServer
        case none
        case custom(@Sendable () async throws -> Token)
    }

    var kind: Kind
    /// Whether a service account's key signs for a token, rather than signing the token itself.
    var exchangesTokens = false

    init(kind: Kind) {
        self.kind = kind
    }

    /// What Google's libraries would use: the file that the environment variable `GOOGLE_APPLICATION_CREDENTIALS` names; else the one
    /// that `gcloud auth application-default login` has written; else the metadata server of the machine.
    public static let applicationDefault = PubSubCredentials(kind: .applicationDefault)

    /// A file in JSON: a service account's key (`service_account`), a user's (`authorized_user`), a federation of workload
    /// identities (`external_account`, with a file or a URL as the source), or another account that one of these stands for
    /// (`impersonated_service_account`).
    public static func file(_ path: String) -> PubSubCredentials { PubSubCredentials(kind: .file(path)) }

    /// The metadata server of the machine, which the environment variable `GCE_METADATA_HOST` can name: Compute Engine, Google
    /// Kubernetes Engine, Cloud Run.
    public static let metadataServer = PubSubCredentials(kind: .metadataServer)

    /// Nothing is shown, as for an emulator.
    public static let none = PubSubCredentials(kind: .none)

    /// Asks a closure for a token, before the last one expires. One that throws is asked again later; until then what is delivered
    /// is unavailable, with the error as the reason.
    public static func custom(_ token: @escaping @Sendable () async throws -> Token) -> PubSubCredentials {
        PubSubCredentials(kind: .custom(token))
    }

    /// The same, with tokens that Google issues (OAuth 2.0) where a service account's key would otherwise sign each token itself. It
    /// costs a request an hour to Google's token server, and is needed where an organisation's policy refuses self-signed tokens.
    public var withExchangedTokens: PubSubCredentials {
        var credentials = self
        credentials.exchangesTokens = true
        return credentials
    }

    /// A token that a request can show, and for how long.
    public struct Token: Sendable {
        let value: String
        let lifetime: Duration
        /// The project that is charged for requests, where it is not the topic's.
        var quotaProject: String?

        /// Creates a token.
        ///
        /// - Parameters:
        ///   - value: What stands behind “Bearer”.
        ///   - lifetime: For how long it is valid from now on.
        public init(_ value: String, expiresIn lifetime: Duration) {
            self.value = value
            self.lifetime = lifetime
        }
    }
}

extension PubSubCredentials: CustomStringConvertible, CustomReflectable {
    /// The kind of credentials.
    public var description: String {
        switch self.kind {
        case .applicationDefault: "application default"
        case .file: "file"
        case .metadataServer: "metadata server"
        case .none: "none"
        case .custom: "custom"
        }
    }
    /// The description, and nothing else.
    public var customMirror: Mirror { Mirror(self, children: ["description": self.description]) }
}

extension PubSubCredentials.Token: CustomStringConvertible, CustomReflectable {
    /// How long it is valid; not the token.
    public var description: String { "a token for \(self.lifetime.components.seconds) s" }
    /// The description, and nothing else.
    public var customMirror: Mirror { Mirror(self, children: ["description": self.description]) }
}
