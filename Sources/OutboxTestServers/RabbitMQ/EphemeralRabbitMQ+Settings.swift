extension EphemeralRabbitMQ {
    /// How a throwaway broker is set up.
    public struct Settings: Sendable {
        /// Lines for `rabbitmq.conf`, such as `["heartbeat": "5"]`. Listeners are refused. Default: none; everything is
        /// RabbitMQ's own default, but for the disk's free space, of which little is enough.
        package var parameters: [String: String]
        /// Whether there is a listener with TLS as well. Default ``Encryption/none``.
        package var encryption: Encryption
        /// Plugins that are switched on, such as `rabbitmq_auth_mechanism_ssl`. Default: none.
        package var plugins: [String]
        /// How long a start may take before it fails, in whole seconds. Default: 120 seconds.
        package var startLimit: Duration

        /// Creates settings; see the properties for the defaults.
        public init(
            parameters: [String: String] = [:], plugins: [String] = [], startLimit: Duration = .seconds(120)
        ) {
            self.init(parameters: parameters, encryption: .none, plugins: plugins, startLimit: startLimit)
        }

        /// The same with a listener with TLS, for this package's own tests.
        package init(
            parameters: [String: String] = [:], encryption: Encryption, plugins: [String] = [],
            startLimit: Duration = .seconds(120)
        ) {
            self.parameters = parameters
            self.encryption = encryption
            self.plugins = plugins
            self.startLimit = startLimit
        }

        /// Whether a broker listens with TLS.
        package struct Encryption: Sendable, Hashable {
            /// No.
            package static let none = Encryption(client: "")
            /// Yes, for the name `localhost`, with an authority and certificates that `openssl` makes in the broker's folder;
            /// see ``EphemeralRabbitMQ/Certificates``. The client's is for the user `guest`.
            package static let selfSigned = Encryption.selfSigned(client: "guest")

            /// Yes, as with ``selfSigned``, and the client's certificate is for that user. The user is not created.
            package static func selfSigned(client user: String) -> Encryption { Encryption(client: user) }

            /// Whom the client's certificate is for; empty: there is none, nor a listener.
            let client: String

            var isOn: Bool { self != .none }
        }
    }

    /// The files, in PEM, that belong to the TLS of a throwaway broker.
    package struct Certificates: Sendable {
        /// The authority, which clients have to trust.
        package let authority: String
        /// A client's certificate, whose common name is a user's.
        package let clientCertificate: String
        /// Its key.
        package let clientKey: String
        /// An authority that has signed nothing here but itself.
        package let otherAuthority: String
        /// Its key.
        package let otherAuthorityKey: String

        init(folder: String) {
            self.authority = "\(folder)/tls/authority.pem"
            self.clientCertificate = "\(folder)/tls/client.pem"
            self.clientKey = "\(folder)/tls/client-key.pem"
            self.otherAuthority = "\(folder)/tls/other.pem"
            self.otherAuthorityKey = "\(folder)/tls/other-key.pem"
        }
    }
}

extension EphemeralRabbitMQ.Settings {
    func validate() throws(EphemeralServerError) {
        for (name, value) in self.parameters {
            let isName = !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "=") }
            guard isName, !value.utf8.contains(0x0A) else {
                throw EphemeralServerError(.invalidSettings, "“\(name)” is not a parameter on one line.")
            }
            guard !name.hasPrefix("listeners.") else {
                throw EphemeralServerError(.invalidSettings, "Listeners are chosen by the ephemeral broker.")
            }
        }
        for plugin in self.plugins {
            guard !plugin.isEmpty, plugin.utf8.allSatisfy({ $0 == UInt8(ascii: "_") || (0x61...0x7A).contains($0) })
            else {
                throw EphemeralServerError(.invalidSettings, "“\(plugin)” is not the name of a plugin.")
            }
        }
        guard self.encryption.client.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"/+=,".utf8.contains($0) }) else {
            throw EphemeralServerError(.invalidSettings, "“\(self.encryption.client)” is not a name for a certificate.")
        }
        guard self.startLimit >= .seconds(1) else {
            throw EphemeralServerError(.invalidSettings, "The start limit is under one second.")
        }
    }

    /// The lines of `rabbitmq.conf`.
    var configurationLines: String {
        var all = [
            "disk_free_limit.absolute": "50MB", "log.console": "true", "log.console.level": "info",
        ]
        all.merge(self.parameters) { _, own in own }
        return all.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)" }.joined(separator: "\n")
    }
}
