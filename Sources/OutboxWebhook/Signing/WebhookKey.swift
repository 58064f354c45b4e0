public import Outbox
import OutboxHTTP
import OutboxRuntime

/// What messages are signed with, as Standard Webhooks writes it; never printed.
///
/// `whsec_…` is a secret that receiver and sender share (HMAC with SHA-256), `whsk_…` the private key of a pair (Ed25519), of which receivers
/// get the public one.
public struct WebhookKey: Sendable {
    private enum Kind: Sendable {
        case shared(HMACKey)
        case pair(Ed25519Key)
    }

    private let kind: Kind

    /// Reads a key: `whsec_` and 24 to 64 bytes in base64, or `whsk_` and the 32 bytes of a private key of Ed25519, with or without the
    /// 32 bytes of its public key.
    ///
    /// - Throws: What is wrong, without anything of the key.
    public init(_ text: String) throws(TransportConfigurationError) {
        if text.hasPrefix(Self.sharedPrefix) {
            guard let bytes = Base64.decoded(String(text.dropFirst(Self.sharedPrefix.count))),
                (24...64).contains(bytes.count)
            else {
                throw TransportConfigurationError("a secret is whsec_ and 24 to 64 bytes in base64")
            }
            self.kind = .shared(HMACKey(bytes))
        } else if text.hasPrefix(Self.privatePrefix) {
            self.kind = .pair(try Self.pair(String(text.dropFirst(Self.privatePrefix.count))))
        } else if text.hasPrefix(Self.publicPrefix) {
            throw TransportConfigurationError("whpk_ is a public key, for receivers; messages are signed with whsk_")
        } else {
            throw TransportConfigurationError("a key for signatures begins with whsec_ or whsk_")
        }
    }

    private static func pair(_ text: String) throws(TransportConfigurationError) -> Ed25519Key {
        guard let bytes = Base64.decoded(text), bytes.count == 32 || bytes.count == 64,
            let key = try? Ed25519Key(seed: Array(bytes.prefix(32)))
        else {
            throw TransportConfigurationError("a private key is whsk_ and 32 or 64 bytes in base64")
        }
        guard bytes.count == 32 || key.publicKey == Array(bytes.suffix(32)) else {
            throw TransportConfigurationError("the two halves of the private key (whsk_) do not belong together")
        }
        return key
    }

    private static let sharedPrefix = "whsec_"
    private static let privatePrefix = "whsk_"
    private static let publicPrefix = "whpk_"

    /// What receivers of a private key's signatures need, `whpk_…`; nil for a shared secret.
    public var publicKey: String? {
        switch self.kind {
        case .shared: nil
        case .pair(let key): Self.publicPrefix + Base64.encoded(key.publicKey)
        }
    }

    /// Whether receivers know it too, so that one of them could sign in the sender's name for another.
    var isShared: Bool {
        if case .shared = self.kind { true } else { false }
    }

    /// A signature of what one text and then another one has, with its version: `v1,…` or `v1a,…`.
    func signature(of head: [UInt8], _ content: [UInt8] = []) -> String {
        switch self.kind {
        case .shared(let key):
            "v1," + Base64.encoded(SHA256Hash.with { key.code(of: head, content, by: $0) })
        case .pair(let key): "v1a," + Base64.encoded(key.signature(of: head + content))
        }
    }
}

// A secret is not printed by accident either, as a part of something that is.

extension WebhookKey: CustomStringConvertible, CustomReflectable {
    /// The kind, without the key.
    public var description: String { self.isShared ? "a shared secret" : "a private key" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
