public import Logging
public import ServiceLifecycle

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Reads an outbox and hands each message to the closure that is registered for its destination.
///
/// ```swift
/// let relay = Relay(store: store, routes: [
///     .eventBus: .handler { message in try await bus.publish(message.payload) },
/// ], logger: logger)
/// try await ServiceGroup(services: [relay], gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
///
/// A message is delivered at least once: again only if the relay ended without committing that it had been. Messages
/// with one key are delivered in the order of their commits. Of several relays for one outbox and subscription one
/// works, and the others take over when it is gone.
public final class Relay: Service {
    private let store: any RelayStore
    private let routes: Routes
    private let configuration: RelayConfiguration
    private let logger: Logger
    private let control = RelayControl()
    private let hub = RelayEventHub()

    /// Creates a relay; ``run()`` makes it work.
    public init(
        store: any RelayStore, routes: Routes, configuration: RelayConfiguration = RelayConfiguration(),
        logger: Logger = Logger(label: "outbox.relay")
    ) {
        self.store = store
        self.routes = routes
        self.configuration = configuration
        self.logger = logger
    }

    /// What the relay does from now on, in a buffer of 4096 events. Listening is free to be slow: the relay does not wait.
    public var events: RelayEvents { self.events(bufferingNewest: 4096) }

    /// What the relay does from now on, in a buffer of that size: a listener that falls behind by more misses the oldest.
    public func events(bufferingNewest capacity: Int) -> RelayEvents {
        RelayEvents(hub: self.hub, capacity: capacity)
    }

    /// Delivers until the service group shuts down gracefully or the task is cancelled.
    ///
    /// A graceful shutdown ends reading, lets handlers finish within the configured deadline, commits and gives up
    /// ownership. A cancelled task ends at once: what was not committed will be delivered again.
    ///
    /// A lost connection is made again for as long as it takes. What trying again cannot help is thrown: a password
    /// that is refused, a schema that is missing or of another version, a privilege that the role lacks.
    ///
    /// - Throws: ``RelayStoreError``, or `CancellationError`.
    public func run() async throws {
        if let problem = self.configuration.problem {
            throw RelayStoreError("The relay's configuration is invalid: \(problem).", isRetriable: false)
        }
        if self.routes.destinations.isEmpty {
            throw RelayStoreError("The relay has no routes: register a handler for a destination.", isRetriable: false)
        }
        defer { self.hub.finish() }
        try await withGracefulShutdownHandler {
            try await self.runSessions()
        } onGracefulShutdown: {
            self.control.stop()
        }
        self.hub.emit(.stopped)
    }

    /// Asks the relay to end as a graceful shutdown does, for those who run it without a service group.
    public func stop() {
        self.control.stop()
    }

    // MARK: - Sessions

    /// Runs one session after the other until asked to end.
    private func runSessions() async throws {
        let backoff = RetryPolicy.exponential(
            maximumAttempts: .max, initialDelay: self.configuration.reconnect.initialDelay,
            maximumDelay: self.configuration.reconnect.maximumDelay)
        while !self.control.isStopping {
            do {
                try await self.runSession()
            } catch let error as RelayStoreError where error.isRetriable && !Task.isCancelled {
                let failures = self.control.sessionFailed()
                var random = SystemRandomNumberGenerator()
                let delay = backoff.delay(afterAttempts: failures, random: &random)
                self.logger.warning(
                    "Session ended; a new one follows",
                    metadata: ["outbox.error": "\(error)", "outbox.retry_after_ms": "\(Int(delay.seconds * 1000))"])
                self.hub.emit(.disconnected(reason: error.description, retryAfter: delay))
                try await self.pause(delay)
            }
        }
    }

    /// Runs one session until it breaks or the relay is asked to end.
    private func runSession() async throws {
        let session = try await self.store.openSession(
            subscription: self.configuration.subscription, logger: self.logger)
        do {
            try await self.own(session, isolation: session.isolation)
        } catch {
            self.control.onStop(nil)
            await session.close()
            throw error
        }
        self.control.onStop(nil)
        await session.close()
    }

    private func own(_ session: any RelaySession, isolation: isolated any Actor) async throws {
        var isStandby = false
        while try await !session.acquire() {
            if self.control.isStopping { return }
            if !isStandby {
                isStandby = true
                self.logger.info("Another relay owns the outbox; waiting to take over")
                self.hub.emit(.standby)
            }
            try await self.pause(self.configuration.standbyInterval)
            if self.control.isStopping { return }
        }
        let streams = try await session.attach(self.routes.destinations)
        self.control.onStop { session.wake() }
        self.logger.info("Delivering", metadata: ["outbox.streams": "\(streams.count)"])
        self.hub.emit(.started)
        self.control.sessionStarted()

        try await withThrowingDiscardingTaskGroup(returning: Void.self, isolation: isolation) { group in
            var loop = RelayLoop(
                session: session, streams: streams, routes: self.routes, configuration: self.configuration,
                control: self.control, events: self.hub, logger: self.logger)
            let dispatchers = loop.dispatchers
            for dispatcher in dispatchers {
                for _ in 0..<dispatcher.handler.concurrency {
                    group.addTask { await dispatcher.work() }
                }
            }
            defer {
                for dispatcher in dispatchers { dispatcher.close() }
                // Whatever is still being delivered cannot be recorded any more.
                group.cancelAll()
            }
            try await loop.run(isolation: isolation)
        }
    }

    /// Waits, unless the relay is asked to end.
    private func pause(_ duration: Duration) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let (stopped, continuation) = AsyncStream.makeStream(of: Void.self)
            self.control.onStop { continuation.finish() }
            if self.control.isStopping { continuation.finish() }
            group.addTask { try await Task.sleep(for: duration) }
            group.addTask { for await _ in stopped {} }
            try await group.next()
            group.cancelAll()
        }
        self.control.onStop(nil)
    }
}
