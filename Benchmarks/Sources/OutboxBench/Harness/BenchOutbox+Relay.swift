import Outbox
import OutboxPostgres

extension BenchOutbox {
    /// Makes what is registered for the destination; it calls the closure with each message that it has delivered.
    typealias Route = @Sendable (_ delivered: @escaping @Sendable (Message) -> Void) -> DestinationHandler

    /// Runs `body` beside a relay whose handler counts, and ends the relay in good order.
    ///
    /// - Parameters:
    ///   - route: Where messages go; nil: to a closure that does nothing.
    ///   - handler: Called with each message that was delivered, before it is counted.
    ///   - body: Has to wait for all that is delivered.
    /// - Throws: A ``BenchFailure`` if more was delivered than that.
    func withRelay<Result>(
        _ settings: RelaySettings = RelaySettings(), wakeup: PostgresStore.Wakeup = .notify(),
        segments: SegmentPolicy = SegmentPolicy(), concurrency: Int = 64, route: Route? = nil,
        handler: @escaping @Sendable (Message) -> Void = { _ in },
        _ body: (Deliveries) async throws -> Result
    ) async throws -> Result {
        let deliveries = Deliveries()
        let delivered: @Sendable (Message) -> Void = { message in
            handler(message)
            deliveries.add()
        }
        let relay = Relay(
            store: PostgresStore(
                postgres: self.postgres, schema: self.schema, wakeup: wakeup, segments: segments,
                streamsPerDestination: self.streams),
            routes: [
                Self.destination: route?(delivered) ?? .handler(concurrency: concurrency) { delivered($0) }
            ], settings: settings, logger: .quiet)
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            // Listens no longer than that: events of deliveries would cost something.
            tasks.addTask { [events = relay.events(bufferingNewest: 10)] in
                for await event in events where event == .started { return deliveries.begin() }
            }
            tasks.addTask {
                defer { deliveries.end() }
                try await relay.run()
            }
            let result: Swift.Result<Result, any Error>
            do {
                result = .success(try await body(deliveries))
            } catch {
                result = .failure(error)
            }
            relay.stop()
            // First what the relay says: that it failed may be why `body` did.
            try await tasks.waitForAll()
            let value = try result.get()
            if deliveries.count != deliveries.expected {
                let surplus = deliveries.count - deliveries.expected
                throw BenchFailure("\(surplus) messages more were delivered than there were")
            }
            return value
        }
    }

    /// Delivers what waits to a closure that does nothing, with a relay that is started for it.
    ///
    /// - Returns: Messages a second, from the moment when the relay has connected to the last delivery.
    func drain(
        _ messages: Int, settings: RelaySettings = RelaySettings(), concurrency: Int = 64,
        route: Route? = nil, handler: @escaping @Sendable (Message) -> Void = { _ in }
    ) async throws -> Double {
        return try await self.withRelay(settings, concurrency: concurrency, route: route, handler: handler) {
            deliveries in
            let ended = try await deliveries.reach(messages)
            guard let began = deliveries.started else { return .nan }
            return Double(messages) / (ended - began).inSeconds
        }
    }
}
