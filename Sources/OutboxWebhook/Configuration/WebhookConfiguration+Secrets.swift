import OutboxHTTP

extension WebhookConfiguration {
    /// What messages are signed with, as Standard Webhooks has it. Without any key, `webhook-id` and `webhook-timestamp` are sent alone.
    public struct Signing: Sendable {
        /// All of them sign every message. During a rotation there are two: the new one, and the old one until every receiver has the
        /// new. Default none.
        public var keys: [WebhookKey]
        /// Keys of single hosts, which sign in place of ``keys``. Receivers that must not be able to sign for each other need secrets of
        /// their own, or a private key. Default none.
        public var keysByHost: [String: [WebhookKey]]
        /// A file with further keys, one a line, or a host and a key; `#` begins a comment. Read when the transport is created.
        /// Default none.
        public var keyFile: String?

        /// Creates settings; see the properties for the defaults.
        public init(keys: [WebhookKey] = [], keysByHost: [String: [WebhookKey]] = [:], keyFile: String? = nil) {
            self.keys = keys
            self.keysByHost = keysByHost
            self.keyFile = keyFile
        }
    }

    /// How the transport identifies itself besides signatures. Never printed.
    public struct Credentials: Sendable, Hashable {
        enum Kind: Hashable {
            case basic(user: String, password: String)
            case bearer(String)
        }

        let kind: Kind

        /// A user and a password (`Authorization: Basic`).
        public static func basic(user: String, password: String) -> Credentials {
            Credentials(kind: .basic(user: user, password: password))
        }

        /// A token (`Authorization: Bearer`).
        public static func bearer(_ token: String) -> Credentials { Credentials(kind: .bearer(token)) }

        /// The value of `Authorization`.
        var authorization: String {
            switch self.kind {
            case .basic(let user, let password): "Basic " + Base64.encoded(Array("\(user):\(password)".utf8))
            case .bearer(let token): "Bearer \(token)"
            }
        }
    }
}

// A secret is not printed by accident either, as a part of something that is.

extension WebhookConfiguration.Credentials: CustomStringConvertible, CustomReflectable {
    /// The kind and the user, without what is secret.
    public var description: String {
        switch self.kind {
        case .basic(let user, _): "user \(user)"
        case .bearer: "a token"
        }
    }

    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
