#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// What requests to AWS are signed with. Neither the secret nor the session's token is ever printed.
public struct AWSCredentials: Sendable, Hashable {
    /// The access key's id, which is sent with each request.
    public var accessKeyID: String
    /// The access key's secret, which is not sent.
    public var secretAccessKey: String
    /// The token of a temporary session; nil: they are not temporary.
    public var sessionToken: String?
    /// When they end; nil: not by themselves.
    public var expiration: Date?

    /// Creates credentials.
    public init(
        accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil, expiration: Date? = nil
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expiration = expiration
    }
}

extension AWSCredentials: CustomStringConvertible, CustomReflectable {
    /// The access key's id.
    public var description: String { "AWS access key \(self.accessKeyID)" }
    /// The description, and nothing else.
    public var customMirror: Mirror { Mirror(self, children: ["description": self.description]) }
}
