extension KafkaConfiguration {
    /// TLS and logging in.
    public struct Security: Sendable, Hashable {
        /// Nil: no TLS.
        public var tls: TLS?
        /// Nil: no logging in.
        public var sasl: SASL?

        /// Creates it; without arguments neither TLS nor logging in.
        public init(tls: TLS? = nil, sasl: SASL? = nil) {
            self.tls = tls
            self.sasl = sasl
        }
    }

    /// How brokers are verified, and how the client identifies itself. Certificates are always verified.
    public struct TLS: Sendable, Hashable {
        /// A file, or folder, of certificates to trust; nil: the system's.
        public var trustedCertificates: String?
        /// A file with the client's certificate, in PEM; nil: none.
        public var certificate: String?
        /// A file with the key of the client's certificate, in PEM.
        public var privateKey: String?
        /// What the key's file is encrypted with; nil: it is not.
        public var privateKeyPassword: String?
        /// Whether a broker's certificate must be for the name that it is called by. Default true.
        public var verifiesHostName: Bool

        /// Creates it; without arguments brokers are verified with the system's certificates.
        public init(
            trustedCertificates: String? = nil, certificate: String? = nil, privateKey: String? = nil,
            privateKeyPassword: String? = nil, verifiesHostName: Bool = true
        ) {
            self.trustedCertificates = trustedCertificates
            self.certificate = certificate
            self.privateKey = privateKey
            self.privateKeyPassword = privateKeyPassword
            self.verifiesHostName = verifiesHostName
        }
    }

    /// How to log in.
    public struct SASL: Sendable, Hashable {
        let mechanism: String
        let user: String
        let password: String

        /// The password as it is; use it with TLS only.
        public static func plain(user: String, password: String) -> SASL {
            SASL(mechanism: "PLAIN", user: user, password: password)
        }

        /// SCRAM with SHA-256.
        public static func scramSHA256(user: String, password: String) -> SASL {
            SASL(mechanism: "SCRAM-SHA-256", user: user, password: password)
        }

        /// SCRAM with SHA-512.
        public static func scramSHA512(user: String, password: String) -> SASL {
            SASL(mechanism: "SCRAM-SHA-512", user: user, password: password)
        }
    }
}

extension KafkaConfiguration.TLS: CustomStringConvertible, CustomReflectable {
    /// That there is TLS.
    public var description: String { "TLS" }
    /// The description, and nothing else.
    public var customMirror: Mirror { Mirror(self, children: ["description": self.description]) }
}

extension KafkaConfiguration.SASL: CustomStringConvertible, CustomReflectable {
    /// The mechanism; neither user nor password.
    public var description: String { self.mechanism }
    /// The description, and nothing else.
    public var customMirror: Mirror { Mirror(self, children: ["description": self.description]) }
}

extension KafkaConfiguration.Security: CustomStringConvertible, CustomReflectable {
    /// Whether there is TLS, and the mechanism of logging in.
    public var description: String {
        [self.tls?.description, self.sasl?.description].compactMap(\.self).joined(separator: ", ")
    }
    /// The description, and nothing else.
    public var customMirror: Mirror { Mirror(self, children: ["description": self.description]) }
}
