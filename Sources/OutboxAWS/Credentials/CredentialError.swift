/// Why there are no credentials, without anything that is secret.
struct CredentialError: Error, Sendable, Hashable, CustomStringConvertible {
    enum Kind: Sendable, Hashable {
        /// Nothing says that this source is to be used.
        case notConfigured
        /// What is configured cannot be used.
        case invalid
        /// What was asked did not answer as it should.
        case failed
    }

    let kind: Kind
    let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
