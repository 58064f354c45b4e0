/// The messaging system that a message is addressed to: "event-bus", "orders-queue".
///
/// A destination is a name of 1 to 255 bytes. Declare yours once and use them everywhere:
///
/// ```swift
/// extension Destination {
///     static let eventBus: Destination = "event-bus"
/// }
/// ```
public struct Destination: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The destination's name, as it stands in the outbox.
    public let name: String

    /// Creates the destination of that name.
    public init(_ name: String) {
        self.name = name
    }

    /// Creates the destination of that name.
    public init(stringLiteral name: String) {
        self.init(name)
    }

    /// The destination's name.
    public var description: String { self.name }
}
