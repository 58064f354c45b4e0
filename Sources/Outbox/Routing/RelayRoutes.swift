/// Which destinations a relay delivers, and how.
///
/// ```swift
/// let routes: RelayRoutes = [
///     .eventBus: .handler { message in try await bus.publish(message) },
///     .commandQueue: .batch { messages in await queue.send(messages) },
/// ]
/// ```
///
/// Messages of destinations that no relay has a route for wait in the log.
public struct RelayRoutes: Sendable, ExpressibleByDictionaryLiteral {
    package private(set) var handlers: [Destination: DestinationHandler]

    /// Creates routes without any destination.
    public init() {
        self.handlers = [:]
    }

    /// Creates routes; naming a destination twice is a programming error.
    public init(dictionaryLiteral elements: (Destination, DestinationHandler)...) {
        self.handlers = Dictionary(elements) { _, _ in
            preconditionFailure("A destination has one handler; see DestinationHandler.routes for several routes.")
        }
    }

    /// The handler of a destination.
    public subscript(destination: Destination) -> DestinationHandler? {
        get { self.handlers[destination] }
        set { self.handlers[destination] = newValue }
    }

    /// The transports of all handlers, each once.
    package var transports: [any Transport] {
        var seen: Set<ObjectIdentifier> = []
        return self.handlers.values.flatMap(\.transports).filter { seen.insert(ObjectIdentifier($0)).inserted }
    }

    /// The destinations that have a handler, by name.
    package var destinations: [Destination] {
        self.handlers.keys.sorted { $0.name < $1.name }
    }
}
