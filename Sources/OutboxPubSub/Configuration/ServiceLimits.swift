/// What the service takes (https://cloud.google.com/pubsub/quotas#resource_limits, as of 2026).
enum ServiceLimits {
    /// Messages of a request.
    static let messages = 1000
    /// Bytes of a request, as it is sent.
    static let requestBytes = 10_000_000
    /// Bytes of a message's data.
    static let dataBytes = 10_000_000
    /// Attributes of a message.
    static let attributes = 100
    /// Bytes of an attribute's name.
    static let attributeNameBytes = 256
    /// Bytes of an attribute's value.
    static let attributeValueBytes = 1024
    /// What no attribute's name begins with: it is the service's own.
    static let reservedPrefix = "goog"
    /// Bytes of an ordering key.
    static let orderingKeyBytes = 1024
}
