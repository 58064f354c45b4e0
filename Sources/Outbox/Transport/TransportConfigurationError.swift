/// What is wrong with a transport's configuration.
public struct TransportConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong and what would be right, without credentials.
    public let description: String

    /// Creates an error.
    public init(_ description: String) {
        self.description = description
    }
}
