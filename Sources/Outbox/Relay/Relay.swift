public import Logging
import OutboxRuntime
public import ServiceLifecycle
import Synchronization

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
/// with one key are delivered in the order of their commits. Several relays for one outbox and subscription share its streams, as
/// many each, and take over those of one that is gone.
public final class Relay: Service {
    private let store: any RelayStore
    private let routes: RelayRoutes
    private let settings: RelaySettings.Resolved
    private let logger: Logger
    private let control = RelayControl()
    private let hub = RelayEventHub()
    private let hasRun = Atomic(false)

    /// Creates a relay; ``run()`` makes it work.
    public init(
        store: any RelayStore, routes: RelayRoutes, settings: RelaySettings = RelaySettings(),
        logger: Logger = Logger(label: "outbox.relay")
    ) {
        self.store = store
        self.routes = routes
        self.settings = settings.resolved
        self.logger = logger
    }

    /// What the relay does from now on, in a buffer of 4096 events. A listener may be slow: the relay does not wait for it.
    /// The stream ends with ``run()``.
    public var events: AsyncStream<RelayEvent> { self.events(bufferingNewest: 4096) }

    /// What the relay does from now on, in a buffer of that size: a listener that falls behind by more misses the oldest.
    public func events(bufferingNewest capacity: Int) -> AsyncStream<RelayEvent> {
        self.hub.subscribe(capacity: capacity)
    }

    /// Delivers until the service group shuts down gracefully or the task is cancelled.
    ///
    /// A graceful shutdown ends reading, lets handlers finish within the configured deadline, commits and gives up
    /// ownership. A cancelled task ends at once: what was not committed will be delivered again.
    ///
    /// A lost connection is made again for as long as it takes. A relay that has had a session before tries again after any error of
    /// its store that an operator can mend, such as a password that is refused meanwhile.
    ///
    /// The transports of its routes are run with it, and closed after the last delivery.
    ///
    /// A relay runs once, whatever ended it: its events have ended, and transports cannot be run again either. To continue, make
    /// another relay.
    ///
    /// - Throws: `CancellationError` if the task was cancelled; else ``RelayError``, always for what no retry can help:
    ///   ``RelayError/Code/configuration``, ``RelayError/Code/noRoutes``, ``RelayError/Code/alreadyRun``,
    ///   ``RelayError/Code/transportEnded``, ``RelayError/Code/pooler``, ``RelayError/Code/schemaTooNew``,
    ///   ``RelayError/Code/log``, ``RelayError/Code/misuse`` and ``RelayError/Code/unexpected``. Before the first session also
    ///   ``RelayError/Code/login``, ``RelayError/Code/databaseMissing``, ``RelayError/Code/schemaMissing``,
    ///   ``RelayError/Code/schemaUnversioned``, ``RelayError/Code/schemaTooOld``, ``RelayError/Code/privilege``
    ///   and ``RelayError/Code/refused``.
    public func run() async throws {
        if let problem = self.settings.defect {
            throw RelayError(.configuration, "The relay's settings are invalid: \(problem).")
        }
        if self.routes.isEmpty {
            throw RelayError(.noRoutes, "The relay has no routes: register a handler for a destination.")
        }
        if self.hasRun.exchange(true, ordering: .relaxed) {
            throw RelayError(
                .alreadyRun,
                "This relay has been run before. A relay runs once: make another one, with transports of its own.")
        }
        defer { self.hub.finish() }
        do {
            try await withGracefulShutdownHandler {
                let run = TransportRun(transports: self.routes.transports, logger: self.logger)
                try await run { try await self.runSessions() }
            } onGracefulShutdown: {
                self.control.stop()
            }
        } catch {
            // Whatever was being done then has failed because of that.
            if Task.isCancelled { throw CancellationError() }
            if error is RelayError { throw error }
            throw RelayError(.unexpected, "The relay failed: \(error)", underlying: error)
        }
        self.hub.emit(.stopped)
    }

    /// What the relay is doing at this moment: whether it is ready, and which destinations are down.
    public var state: RelayState { self.hub.relayState }

    /// How many streams this relay has at this moment.
    package var streamCount: Int { self.hub.streamCount }

    /// How many messages this relay has made dead letters.
    package var deadLetterCount: Int { self.hub.deadLetterCount }

    /// Asks the relay to end as a graceful shutdown does, for a relay that runs without a service group.
    public func stop() {
        self.control.stop()
    }

    // MARK: - Sessions

    /// Runs one session after the other until asked to end.
    private func runSessions() async throws {
        let clock = ContinuousClock()
        let backoff = Backoff(
            base: self.settings.reconnect.initialDelay, cap: self.settings.reconnect.maximumDelay)
        var random = SystemRandomNumberGenerator()
        var failures = 0
        let history = StreamHistory()
        /// Whether a session was opened before: with what it was opened, another one can be.
        var hasWorked = false
        /// Whether nothing is delivered before a commit has been made: the last session made none.
        var mustTry = false
        while !self.control.isStopping {
            let progress = Progress()
            let began = clock.now
            do {
                defer { hasWorked = hasWorked || progress.hasOpened }
                try await self.runSession(progress, history, mustTry: mustTry)
            } catch let error as RelayError
                where !Task.isCancelled && Self.triesAgain(after: error, hasWorked: hasWorked)
            {
                // Having connected is no success: a full disk lets everything be read, delivered and never committed.
                let wasWell = progress.hasCommitted || clock.now - began >= self.settings.reconnect.maximumDelay
                failures = wasWell ? 1 : failures + 1
                mustTry = !progress.hasCommitted
                if self.control.isStopping {
                    self.logger.warning(
                        "The session failed while the relay ended; what it had not committed is delivered again",
                        metadata: [LogKey.error: "\(error)"])
                    return
                }
                let delay = backoff.pause(earlierFailures: failures - 1, random: &random)
                self.logger.warning(
                    "Session ended; a new one follows",
                    metadata: [LogKey.error: "\(error)", LogKey.retryAfter: "\(Int(delay.seconds * 1000))"])
                self.hub.emit(.disconnected(reason: error.description, retryAfter: delay))
                try await self.pause(delay)
            }
        }
    }

    private static func triesAgain(after error: RelayError, hasWorked: Bool) -> Bool {
        switch error.code.remedy {
        case .retry: true
        case .retryIfItHasWorked: hasWorked
        case .end: false
        }
    }

    /// Runs one session until it breaks or the relay is asked to end.
    private func runSession(_ progress: Progress, _ history: StreamHistory, mustTry: Bool) async throws {
        guard let session = try await self.openSession() else { return }
        progress.opened()
        do {
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    try await self.join(session, progress, history, mustTry: mustTry)
                    return true
                }
                group.addTask {
                    try await self.watch(session)
                    return false
                }
                defer { group.cancelAll() }
                while try await group.next() == false {}
            }
        } catch {
            await session.close()
            throw error
        }
        await session.close()
    }

    /// - Returns: nil if the relay was asked to end before there was one.
    private func openSession() async throws -> (any RelaySession)? {
        try await withThrowingTaskGroup(of: (any RelaySession)?.self) { group in
            group.addTask {
                try await self.store.openSession(subscription: self.settings.subscription, logger: self.logger)
            }
            group.addTask {
                await self.control.stopped()
                return nil
            }
            let first = try await group.next() ?? nil
            group.cancelAll()
            if first != nil { return first }
            // Nothing has begun, so there is nothing to wait for. It may have been opened all the same.
            if let late = try? await group.next() ?? nil { await late.close() }
            return nil
        }
    }

    /// Wakes a session when the relay is asked to end, and closes it when its time is over: a server that does not answer
    /// must not keep the relay.
    private func watch(_ session: any RelaySession) async throws {
        await self.control.stopped()
        if Task.isCancelled { return }
        session.wake()
        let clock = ContinuousClock()
        let deadline = self.control.drainDeadline(now: clock.now, allowed: self.settings.shutdownDeadline)
        try await Task.sleep(until: (deadline ?? clock.now) + .seconds(1), clock: clock)
        await session.close()
    }

    /// Joins the relays of the subscription, and delivers what is this one's.
    private func join(
        _ session: isolated any RelaySession, _ progress: Progress, _ history: StreamHistory, mustTry: Bool
    ) async throws {
        let streams = try await session.attach(
            self.routes.destinations, andOthers: self.routes.others != nil, from: self.settings.firstPosition,
            lookingEvery: self.settings.standbyInterval)
        // Others have them all: there would be one for each destination otherwise.
        let isStandby = streams.isEmpty && !self.routes.destinations.isEmpty
        if isStandby {
            self.logger.info("Other relays have all streams; waiting to take over")
        } else {
            self.logger.info("Delivering", metadata: [LogKey.streams: "\(streams.count)"])
        }
        self.hub.emit(isStandby ? .standby : .started)
        try await self.deliver(session, streams, progress, history, isStarted: !isStandby, mustTry: mustTry)
    }

    /// Runs the loop, with the workers of its streams beside it.
    private func deliver(
        _ session: any RelaySession, _ streams: [AttachedStream], _ progress: Progress, _ history: StreamHistory,
        isStarted: Bool, mustTry: Bool
    ) async throws {
        let workers = DeliveryWorkers()
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { await workers.run() }
            defer {
                workers.close()
                // The outcomes of deliveries in flight cannot be stored any more.
                group.cancelAll()
            }
            try await self.runLoop(
                on: session, streams, workers, progress, history, isStarted: isStarted, mustTry: mustTry)
        }
    }

    /// Runs the loop on the session's executor.
    private func runLoop(
        on session: isolated any RelaySession, _ streams: [AttachedStream], _ workers: DeliveryWorkers,
        _ progress: Progress, _ history: StreamHistory, isStarted: Bool, mustTry: Bool
    ) async throws {
        var loop = RelayLoop(
            session: session, streams: streams, routes: self.routes, settings: self.settings,
            history: history, mustTry: mustTry, workers: workers, control: self.control, progress: progress,
            events: self.hub, logger: self.logger)
        loop.isStarted = isStarted
        try await loop.run()
    }

    /// Waits, unless the relay is asked to end.
    private func pause(_ duration: Duration) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await Task.sleep(for: duration) }
            group.addTask { await self.control.stopped() }
            try await group.next()
            group.cancelAll()
        }
    }
}

/// What a session has achieved.
final class Progress: Sendable {
    private let commits = Atomic(false)
    private let opens = Atomic(false)

    /// Whether the store let it in.
    var hasOpened: Bool { self.opens.load(ordering: .relaxed) }

    func opened() { self.opens.store(true, ordering: .relaxed) }

    /// Whether something was committed.
    var hasCommitted: Bool { self.commits.load(ordering: .relaxed) }

    func committed() { self.commits.store(true, ordering: .relaxed) }
}
