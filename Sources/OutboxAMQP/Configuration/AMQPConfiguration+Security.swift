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

    /// Encryption. TLS 1.2 or later; what is verified can be switched off one by one.
    public struct TLS: Sendable {
        /// The file, in PEM, of the authorities that are trusted. Default nil: those of the system.
        public var authorities: String?
        /// The client's certificate and its key; nil, the default: none.
        public var identity: Identity?
        /// Whether the broker's certificate has to come from a trusted authority. Default true.
        public var verifiesPeer: Bool
        /// Whether the broker's certificate has to be for the host that was asked for. Default true.
        public var verifiesHostName: Bool

        /// Creates settings; see the properties for the defaults.
        public init(
            authorities: String? = nil, identity: Identity? = nil, verifiesPeer: Bool = true,
            verifiesHostName: Bool = true
        ) {
            self.authorities = authorities
            self.identity = identity
            self.verifiesPeer = verifiesPeer
            self.verifiesHostName = verifiesHostName
        }

        /// A client's certificate.
        public struct Identity: Sendable, Hashable {
            /// The file, in PEM, of the certificate and those that lead to the authority.
            package var certificate: String
            /// The file, in PEM, of its key.
            package var key: String
            let keyPassword: String?

            /// Creates an identity; the key's password is nil where the key is not encrypted.
            public init(certificate: String, key: String, keyPassword: String? = nil) {
                self.certificate = certificate
                self.key = key
                self.keyPassword = keyPassword
            }
        }

        /// Where systems keep the authorities they trust: Debian, Red Hat, Alpine, macOS.
        static let systemAuthorities = [
            "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
            "/opt/homebrew/etc/openssl@3/cert.pem",
        ]
    }
}

// A secret is not printed by accident either, as a part of something that is.

extension AMQPConfiguration.Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The kind and the user, without the password.
    public var description: String {
        switch self.kind {
        case .password(let user, _): "user \(user)"
        case .certificate: "client certificate"
        }
    }

    /// The kind and the user, without the password.
    public var debugDescription: String { self.description }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension AMQPConfiguration.TLS.Identity: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The files, without the password.
    public var description: String { "certificate \(self.certificate), key \(self.key)" }
    /// The files, without the password.
    public var debugDescription: String { self.description }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
