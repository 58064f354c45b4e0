/// What is done with the messages of a destination: closures or transports, and how they are called.
public struct DestinationHandler: Sendable {
    package enum Action: Sendable {
        case message(@Sendable (Message) async throws -> Void)
        /// With the transport that the closure delivers to, if it is one.
        case batch(
            maximumCount: Int, transport: (any Transport)?, @Sendable (MessageBatch) async throws -> [Outcome])

        /// The action with its closure cancelled after some time; nil: never.
        fileprivate func limited(to limit: Duration?) -> Action {
            guard let limit else { return self }
            switch self {
            case .message(let body):
                return .message { message in try await TimeLimit.run(limit) { try await body(message) } }
            case .batch(let count, let transport, let body):
                return .batch(maximumCount: count, transport: transport) { batch in
                    try await TimeLimit.run(limit) { try await body(batch) }
                }
            }
        }
    }

    /// A closure for some of the destination's routes.
    package struct RouteAction: Sendable {
        package let pattern: RoutePattern
        package let action: Action
    }

    package let routes: [RouteAction]
    package let fallback: Action?
    /// The transports that the actions are of.
    package let transports: [any Transport]
    /// How they are called.
    package let settings: DeliverySettings.Resolved
    /// What of that was given.
    private let given: DeliverySettings
    private let kind: DeliverySettings.Kind

    /// - Parameter settings: Those that cannot be are a programming error.
    private init(
        routes: [RouteAction] = [], fallback: Action?, transports: [any Transport] = [], settings: DeliverySettings,
        kind: DeliverySettings.Kind
    ) {
        do {
            self.settings = try settings.resolve(for: kind)
        } catch {
            preconditionFailure("The settings of a destination's delivery: \(error).")
        }
        self.routes = routes
        self.fallback = fallback
        self.transports = transports
        self.given = settings
        self.kind = kind
    }

    /// The same without a breaker.
    package var withoutBreaker: DestinationHandler {
        var settings = self.given
        settings.breaker = .off
        return DestinationHandler(
            routes: self.routes, fallback: self.fallback, transports: self.transports, settings: settings,
            kind: self.kind)
    }

    /// A closure that is called with one message at a time. When it returns, the message is delivered; when it throws,
    /// it is tried again, unless the error is a ``DeliveryFailure`` that says otherwise.
    ///
    /// ``DeliverySettings`` says what the arguments mean, and what holds for those that are left out.
    public static func handler(
        retry: (any DeliveryRetryStrategy)? = nil, concurrency: Int? = nil, ordering: DeliverySettings.Ordering? = nil,
        breaker: BreakerPolicy? = nil, parking: DeliverySettings.Parking? = nil, timeout: Duration? = nil,
        maximumRate: Double? = nil,
        _ body: @escaping @Sendable (Message) async throws -> Void
    ) -> DestinationHandler {
        let settings = DeliverySettings(
            retry: retry, concurrency: concurrency, ordering: ordering, breaker: breaker, parking: parking,
            timeout: timeout, maximumRate: maximumRate)
        return .handler(settings: settings, body)
    }

    /// A closure that is called with one message at a time, with settings that are made elsewhere.
    public static func handler(
        settings: DeliverySettings, _ body: @escaping @Sendable (Message) async throws -> Void
    ) -> DestinationHandler {
        DestinationHandler(
            fallback: Action.message(body).limited(to: settings.timeout), settings: settings, kind: .message)
    }

    /// A closure that is called with several messages, at most `maximumCount`, and returns an outcome for each, in the same
    /// order.
    ///
    /// A batch is in order; when one of its messages fails, a later one of the same key should not be delivered:
    /// ``Outcome/behind`` is for that. When the closure throws, or returns another number of outcomes, all of the batch
    /// are tried again.
    ///
    /// ``DeliverySettings`` says what the arguments mean, and what holds for those that are left out.
    public static func batch(
        maximumCount: Int? = nil, retry: (any DeliveryRetryStrategy)? = nil, concurrency: Int? = nil,
        ordering: DeliverySettings.Ordering? = nil, breaker: BreakerPolicy? = nil,
        parking: DeliverySettings.Parking? = nil, timeout: Duration? = nil, maximumRate: Double? = nil,
        _ body: @escaping @Sendable ([Message]) async throws -> [Outcome]
    ) -> DestinationHandler {
        let settings = DeliverySettings(
            retry: retry, concurrency: concurrency, ordering: ordering, breaker: breaker, parking: parking,
            timeout: timeout, maximumCount: maximumCount, maximumRate: maximumRate)
        return .batch(settings: settings, body)
    }

    /// A closure that is called with several messages, with settings that are made elsewhere.
    public static func batch(
        settings: DeliverySettings, _ body: @escaping @Sendable ([Message]) async throws -> [Outcome]
    ) -> DestinationHandler {
        let maximumCount = settings.resolved(for: .batch).maximumCount
        return DestinationHandler(
            fallback: Action.batch(maximumCount: maximumCount, transport: nil) { batch in try await body(batch.messages)
            }
            .limited(to: settings.timeout), settings: settings, kind: .batch)
    }

    /// A transport, which is given batches, several at the same time.
    ///
    /// The relay runs the transport, once even if several destinations have it. How long it may take is its own configuration's: to give
    /// ``DeliverySettings/timeout`` here is a programming error.
    public static func transport(
        _ transport: any Transport, settings: DeliverySettings = DeliverySettings()
    ) -> DestinationHandler {
        precondition(settings.timeout == nil, "A transport has limits of its own: it takes no timeout.")
        let maximumCount = settings.resolved(for: .batch).maximumCount
        return DestinationHandler(
            fallback: .batch(maximumCount: maximumCount, transport: transport) { batch in
                try await transport.deliver(batch)
            },
            transports: [transport], settings: settings, kind: .batch)
    }

    /// Closures for the routes inside a destination. An exact route is preferred to a pattern, then the first pattern
    /// that matches is taken, then `otherwise`.
    ///
    /// A message for which there is no closure is tried again as if its handler had failed, and ends in dead letter.
    ///
    /// The handlers inside `routes` give the closures, with the size of their batches and how long a call may take; all else is the
    /// destination's, with the defaults of a handler that is called with one message at a time. To give it inside, where it could have no effect, is
    /// a programming error, and so are routes inside routes, and a ``DeliverySettings/timeout`` in `settings`.
    public static func routes(
        _ routes: KeyValuePairs<RoutePattern, DestinationHandler>, otherwise: DestinationHandler? = nil,
        settings: DeliverySettings = DeliverySettings()
    ) -> DestinationHandler {
        for handler in routes.map(\.value) + [otherwise].compactMap({ $0 }) {
            if let misplaced = handler.misplaced { preconditionFailure(misplaced) }
        }
        precondition(settings.timeout == nil, "timeout: give it to the handlers inside of “routes”, each its own.")
        let actions = routes.flatMap { pattern, handler in
            handler.fallback.map { [RouteAction(pattern: pattern, action: $0)] } ?? []
        }
        return DestinationHandler(
            routes: actions.filter(\.pattern.isExact) + actions.filter { !$0.pattern.isExact },
            fallback: otherwise?.fallback,
            transports: routes.flatMap(\.value.transports) + (otherwise?.transports ?? []), settings: settings,
            kind: .message)
    }

    /// What a handler inside of routes has that could have no effect there; nil: nothing.
    private var misplaced: String? {
        if !self.routes.isEmpty { return "Routes inside of routes: give the patterns in one list." }
        var names: [String] = []
        if self.given.retry != nil { names.append("retry") }
        if self.given.concurrency != nil { names.append("concurrency") }
        if self.given.ordering != nil { names.append("ordering") }
        if self.given.breaker != nil { names.append("breaker") }
        if self.given.parking != nil { names.append("parking") }
        if self.given.maximumRate != nil { names.append("maximumRate") }
        if names.isEmpty { return nil }
        return
            "\(names.joined(separator: ", ")): a destination has one of it, whatever its routes. Give it as the settings of “routes”."
    }

    /// How many messages a page needs, so that each of the calls that are made at the same time has enough of them: some messages, or a whole
    /// batch.
    package var leastPage: Int {
        let batches = (self.routes.map(\.action) + [self.fallback].compactMap { $0 }).map { action in
            if case .batch(let maximumCount, _, _) = action { maximumCount } else { 4 }
        }
        let least = max(
            250, (batches.max() ?? 1).multipliedReportingOverflow(by: self.settings.concurrency).partialValue)
        return min(least, self.mostPage)
    }

    /// How many messages the limit of rate lets through in the time that a page may take.
    package var mostPage: Int {
        self.settings.maximumRate.map { max(1, Int($0 * (PagePace.span / .seconds(1)))) } ?? .max
    }

    /// The closure for a route, and a number by which it is told from the others.
    package func action(for route: String?) -> (index: Int, action: Action)? {
        if let route, let index = self.routes.firstIndex(where: { $0.pattern.matches(route) }) {
            return (index, self.routes[index].action)
        }
        return self.fallback.map { (self.routes.count, $0) }
    }
}
