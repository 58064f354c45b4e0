/// Where a transport takes its credentials from. Those that expire are fetched again five minutes before they do.
public struct AWSCredentialSource: Sendable {
    enum Kind: Sendable {
        case standard
        case environment
        case profile(String?)
        case webIdentity
        case container
        case instanceMetadata
        case custom(@Sendable () async throws -> AWSCredentials)
    }

    let kind: Kind
    /// How a description names it.
    let name: String

    /// Whether it is asked though nothing points to it.
    var isLastResort: Bool { if case .instanceMetadata = self.kind { true } else { false } }

    private init(_ kind: Kind, _ name: String) {
        self.kind = kind
        self.name = name
    }

    /// The first of these that is there, in the order of the other SDKs: ``environment``, ``webIdentity``, ``profile(_:)``,
    /// ``container``, ``instanceMetadata``.
    public static let standard = AWSCredentialSource(.standard, "standard")

    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
    public static let environment = AWSCredentialSource(.environment, "environment")

    /// A profile of `~/.aws/credentials` and `~/.aws/config` (`AWS_SHARED_CREDENTIALS_FILE`, `AWS_CONFIG_FILE`): an access key, or a role
    /// with `web_identity_token_file`. Both files are read again whenever the service refuses what they had.
    ///
    /// - Parameter name: The profile; nil: that of `AWS_PROFILE`, or `default`.
    public static func profile(_ name: String? = nil) -> AWSCredentialSource {
        AWSCredentialSource(.profile(name), "profile")
    }

    /// The role of `AWS_ROLE_ARN`, for the token in the file `AWS_WEB_IDENTITY_TOKEN_FILE`, by STS: Kubernetes (IRSA) and others.
    public static let webIdentity = AWSCredentialSource(.webIdentity, "web identity")

    /// `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `AWS_CONTAINER_CREDENTIALS_FULL_URI`: ECS, and EKS Pod Identity.
    public static let container = AWSCredentialSource(.container, "container")

    /// The role of an EC2 instance, by its metadata service, version 2.
    public static let instanceMetadata = AWSCredentialSource(.instanceMetadata, "instance metadata")

    /// Always the same.
    public static func fixed(_ credentials: AWSCredentials) -> AWSCredentialSource {
        AWSCredentialSource(.custom { credentials }, "fixed")
    }

    /// What a closure returns: asked at the start, five minutes before the end of what it returned, and when the service has refused that.
    /// While it throws, messages are unavailable, and it is asked again after a while. After 30 s it is cancelled, which counts as an error.
    public static func custom(_ fetch: @escaping @Sendable () async throws -> AWSCredentials) -> AWSCredentialSource {
        AWSCredentialSource(.custom(fetch), "custom")
    }
}

extension AWSCredentialSource: CustomStringConvertible {
    /// Which source it is.
    public var description: String { self.name }
}
