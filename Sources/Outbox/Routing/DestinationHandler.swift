/// What is done with the messages of a destination: closures or transports, and how they are called.
public struct DestinationHandler: Sendable {
    package enum Action: Sendable {
        case message(@Sendable (Message) async throws -> Void)
        /// With the transport that the closure delivers to, if it is one.
        case batch(
            maximumCount: Int, transport: (any Transport)?, @Sendable (MessageBatch) async throws -> [Outcome])
    }

    /// A closure for some of the destination's routes.
    package struct RouteAction: Sendable {
        package let pattern: RoutePattern
        package let action: Action
    }

    package var routes: [RouteAction]
    package var fallback: Action?
    /// The transports that the actions are of.
    package var transports: [any Transport]

    /// When a failed message is tried again. Default: 10 attempts, 1 s doubling to 10 min, full jitter.
    public var retry: DeliveryRetryPolicy
    /// How many messages (or batches) are delivered at the same time, 1 to 1024. Default 64; for batches 4.
    ///
    /// Messages with the same key are always delivered one after the other.
    public var concurrency: Int
    /// Whether later messages of a key wait while an earlier one is being retried. Default true.
    public var ordering: Ordering
    /// When the destination counts as down, and how it is probed then. Default: after one ``Outcome/unavailable(_:)`` or 20
    /// failures in a row; probes after 100 ms doubling to 30 s.
    public var breaker: BreakerPolicy
    /// How long a call of the handler may take before its messages are *parked*: they are deferred while the call continues, so that
    /// they hold up only later messages of their keys. Nil: no limit. Default 2 s; for batches 30 s.
    ///
    /// A parked call still counts as one of the ``concurrency`` calls. More than zero; it is noticed up to a quarter later.
    public var parkedAfter: Duration? {
        willSet { Self.check(parkedAfter: newValue) }
    }

    /// What a failed message means for the later ones of its key.
    public struct Ordering: Sendable, Hashable {
        package let isByKey: Bool
        /// Later messages of the key wait behind it. Messages of other keys pass.
        public static let byKey = Ordering(isByKey: true)
        /// Later messages of the key pass as well.
        public static let none = Ordering(isByKey: false)
    }

    private init(
        routes: [RouteAction] = [], fallback: Action?, transports: [any Transport] = [], retry: DeliveryRetryPolicy,
        concurrency: Int, ordering: Ordering, breaker: BreakerPolicy, parkedAfter: Duration?
    ) {
        precondition((1...1024).contains(concurrency), "The concurrency of a destination is 1 to 1024.")
        Self.check(parkedAfter: parkedAfter)
        self.routes = routes
        self.fallback = fallback
        self.transports = transports
        self.retry = retry
        self.concurrency = concurrency
        self.ordering = ordering
        self.breaker = breaker
        self.parkedAfter = parkedAfter
    }

    private static func check(parkedAfter: Duration?) {
        precondition(parkedAfter.map { $0 > .zero } ?? true, "A call is parked after more than no time.")
    }

    /// A closure that is called with one message at a time. When it returns, the message is delivered; when it throws,
    /// it is tried again, unless the error is a ``DeliveryFailure`` that says otherwise.
    public static func handler(
        retry: DeliveryRetryPolicy = .exponential(), concurrency: Int = 64, ordering: Ordering = .byKey,
        breaker: BreakerPolicy = .opening(), parkedAfter: Duration? = .seconds(2),
        _ body: @escaping @Sendable (Message) async throws -> Void
    ) -> DestinationHandler {
        DestinationHandler(
            fallback: .message(body), retry: retry, concurrency: concurrency, ordering: ordering,
            breaker: breaker, parkedAfter: parkedAfter)
    }

    /// A closure that is called with several messages, at most `maximumCount`, and returns an outcome for each, in the same
    /// order.
    ///
    /// A batch is in order; when one of its messages fails, a later one of the same key should not be delivered:
    /// ``Outcome/behind`` is for that. When the closure throws, or returns another number of outcomes, all of the batch
    /// are tried again.
    public static func batch(
        maximumCount: Int = 1000, retry: DeliveryRetryPolicy = .exponential(), concurrency: Int = 4,
        ordering: Ordering = .byKey, breaker: BreakerPolicy = .opening(), parkedAfter: Duration? = .seconds(30),
        _ body: @escaping @Sendable ([Message]) async throws -> [Outcome]
    ) -> DestinationHandler {
        precondition(maximumCount > 0, "A batch has at least one message.")
        return DestinationHandler(
            fallback: .batch(maximumCount: maximumCount, transport: nil) { batch in try await body(batch.messages) },
            retry: retry, concurrency: concurrency, ordering: ordering, breaker: breaker, parkedAfter: parkedAfter)
    }

    /// A transport, which is given batches of at most `maximumCount` messages, `concurrency` of them at the same time.
    ///
    /// The relay runs the transport, once even if several destinations have it.
    public static func transport(
        _ transport: any Transport, maximumCount: Int = 1000, retry: DeliveryRetryPolicy = .exponential(),
        concurrency: Int = 4,
        ordering: Ordering = .byKey, breaker: BreakerPolicy = .opening(), parkedAfter: Duration? = .seconds(30)
    ) -> DestinationHandler {
        precondition(maximumCount > 0, "A batch has at least one message.")
        return DestinationHandler(
            fallback: .batch(maximumCount: maximumCount, transport: transport) { batch in
                try await transport.deliver(batch)
            },
            transports: [transport], retry: retry, concurrency: concurrency, ordering: ordering, breaker: breaker,
            parkedAfter: parkedAfter)
    }

    /// Closures for the routes inside a destination. An exact route is preferred to a pattern, then the first pattern
    /// that matches is taken, then `otherwise`.
    ///
    /// A message for which there is no closure is tried again as if its handler had failed, and ends in dead letter.
    ///
    /// The handlers inside `routes` give the closures; all else is the destination's.
    public static func routes(
        _ routes: KeyValuePairs<RoutePattern, DestinationHandler>, otherwise: DestinationHandler? = nil,
        retry: DeliveryRetryPolicy = .exponential(), concurrency: Int = 64, ordering: Ordering = .byKey,
        breaker: BreakerPolicy = .opening(), parkedAfter: Duration? = .seconds(2)
    ) -> DestinationHandler {
        let actions = routes.flatMap { pattern, handler in
            handler.fallback.map { [RouteAction(pattern: pattern, action: $0)] } ?? []
        }
        return DestinationHandler(
            routes: actions.filter(\.pattern.isExact) + actions.filter { !$0.pattern.isExact },
            fallback: otherwise?.fallback,
            transports: routes.flatMap(\.value.transports) + (otherwise?.transports ?? []), retry: retry,
            concurrency: concurrency, ordering: ordering,
            breaker: breaker, parkedAfter: parkedAfter)
    }

    /// The closure for a route, and a number by which it is told from the others.
    package func action(for route: String?) -> (index: Int, action: Action)? {
        if let route, let index = self.routes.firstIndex(where: { $0.pattern.matches(route) }) {
            return (index, self.routes[index].action)
        }
        return self.fallback.map { (self.routes.count, $0) }
    }
}
