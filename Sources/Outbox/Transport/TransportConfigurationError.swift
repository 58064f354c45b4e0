package import OutboxRuntime

/// What is wrong with a transport's configuration.
public struct TransportConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong and what would be right, without credentials.
    public let description: String

    /// Creates an error.
    public init(_ description: String) {
        self.description = description
    }
}

extension TransportConfigurationError {
    /// What is wrong with a text of a configuration.
    package init(_ error: InvalidText) {
        self.init(error.description)
    }
}
