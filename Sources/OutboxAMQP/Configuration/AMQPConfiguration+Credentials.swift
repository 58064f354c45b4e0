extension AMQPConfiguration {
    /// How a transport identifies itself. Never printed.
    public struct Credentials: Sendable, Hashable {
        enum Kind: Hashable {
            case password(user: String, password: String)
            case certificate
        }

        let kind: Kind

        /// A user and a password (`PLAIN`).
        public static func password(user: String, password: String) -> Credentials {
            Credentials(kind: .password(user: user, password: password))
        }

        /// The client certificate (`EXTERNAL`), for brokers with `rabbitmq_auth_mechanism_ssl`. The broker reads the user's name
        /// from it.
        public static let certificate = Credentials(kind: .certificate)
    }
}

// A secret is not printed by accident either, as a part of something that is.

extension AMQPConfiguration.Credentials: CustomStringConvertible, CustomReflectable {
    /// The kind and the user, without the password.
    public var description: String {
        switch self.kind {
        case .password(let user, _): "user \(user)"
        case .certificate: "client certificate"
        }
    }

    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
