/// Why there is no token.
struct TokenFailure: Error, Hashable, CustomStringConvertible {
    /// What went wrong, and where, without what could be secret.
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
