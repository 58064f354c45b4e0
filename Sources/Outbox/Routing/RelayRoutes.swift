/// Which destinations a relay delivers, and how.
///
/// ```swift
/// let routes: RelayRoutes = [
///     .eventBus: .handler { message in try await bus.publish(message) },
///     .commandQueue: .batch { messages in await queue.send(messages) },
/// ]
/// ```
///
/// Messages of destinations that no relay has a route for wait in the log. ``others`` is for all of them.
public struct RelayRoutes: Sendable, ExpressibleByDictionaryLiteral {
    package private(set) var handlers: [Destination: DestinationHandler]
    /// The handler of every destination that has none of its own; nil: their messages wait. A destination that gets its first message
    /// while the relay runs is delivered to it within seconds. Each destination has lanes of its own.
    public var others: DestinationHandler?

    /// Creates routes without any destination.
    public init() {
        self.handlers = [:]
    }

    /// Creates routes; naming a destination twice is a programming error, and so is one with the name “*”: ``others`` is for all that have no
    /// handler of their own.
    public init(dictionaryLiteral elements: (Destination, DestinationHandler)...) {
        self.handlers = Dictionary(elements) { _, _ in
            preconditionFailure("A destination has one handler; see DestinationHandler.routes for several routes.")
        }
        self.handlers.keys.forEach(Self.check)
    }

    private static func check(_ destination: Destination) {
        precondition(
            destination.name != "*", "“*” is no pattern here: RelayRoutes.others is for all other destinations.")
    }

    /// The handler of a destination of its own. To give one to the name “*” is a programming error.
    public subscript(destination: Destination) -> DestinationHandler? {
        get { self.handlers[destination] }
        set {
            Self.check(destination)
            self.handlers[destination] = newValue
        }
    }

    /// The transports of all handlers, each once.
    package var transports: [any Transport] {
        var seen: Set<ObjectIdentifier> = []
        let handlers = Array(self.handlers.values) + [self.others].compactMap { $0 }
        return handlers.flatMap(\.transports).filter { seen.insert(ObjectIdentifier($0)).inserted }
    }

    /// The same routes without breakers.
    package var withoutBreakers: RelayRoutes {
        var routes = self
        routes.handlers = self.handlers.mapValues(\.withoutBreaker)
        routes.others = self.others?.withoutBreaker
        return routes
    }

    /// Whether there is no handler at all.
    package var isEmpty: Bool { self.handlers.isEmpty && self.others == nil }

    /// The handler of a destination, its own or that of ``others``.
    package func handler(for destination: Destination) -> DestinationHandler? {
        self.handlers[destination] ?? self.others
    }

    /// The destinations that have a handler of their own, by name.
    package var destinations: [Destination] {
        self.handlers.keys.sorted { $0.name < $1.name }
    }
}
