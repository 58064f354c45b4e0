/// The messaging system that a message is addressed to: "event-bus", "orders-queue".
///
/// A destination is a name of 1 to 255 bytes. Declare yours once and use them everywhere:
///
/// ```swift
/// extension Destination {
///     static let eventBus: Destination = "event-bus"
/// }
/// ```
///
/// Two destinations are the same if their names have the same bytes, as in Postgres: spellings of one text that Unicode holds equal
/// are two destinations.
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

    public static func == (one: Destination, other: Destination) -> Bool {
        one.name.utf8.elementsEqual(other.name.utf8)
    }

    public func hash(into hasher: inout Hasher) {
        var name = self.name
        name.withUTF8 { bytes in unsafe hasher.combine(bytes: UnsafeRawBufferPointer(bytes)) }
    }

    /// The destination's name.
    public var description: String { self.name }
}
