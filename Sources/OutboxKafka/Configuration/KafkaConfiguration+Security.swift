public import Outbox

extension KafkaConfiguration {
    /// TLS and logging in.
    public struct Security: Sendable, Hashable {
        /// Nil: no TLS. As ``/Outbox/TLSSettings/caFile`` a folder can be named, too.
        public var tls: TLSSettings?
        /// Nil: no logging in.
        public var sasl: SASL?

        /// Creates it; without arguments neither TLS nor logging in.
        public init(tls: TLSSettings? = nil, sasl: SASL? = nil) {
            self.tls = tls
            self.sasl = sasl
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

extension KafkaConfiguration.SASL: CustomStringConvertible, CustomReflectable {
    /// The mechanism; neither user nor password.
    public var description: String { self.mechanism }
    /// The description, and nothing else.
    public var customMirror: Mirror { Mirror(self, children: ["description": self.description]) }
}
