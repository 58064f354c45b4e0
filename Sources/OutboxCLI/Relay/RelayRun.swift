import Logging
import Outbox
import ServiceLifecycle
import UnixSignals

/// Runs a relay as a program does: with signals, and with the conditions that end it.
struct RelayRun {
    let relay: Relay
    /// Opened when nobody reads stdout any more.
    let readerGone: Latch
    /// Ends the relay when everything is delivered; nil: it runs until a signal.
    let watch: BacklogWatch?
    /// Whether events are written to stderr.
    let reportsEvents: Bool
    let logger: Logger

    private enum End {
        case finished
        case readerGone
        case aside
    }

    /// Runs until the relay has ended.
    ///
    /// - Throws: What the relay or the watch throws.
    func callAsFunction() async throws {
        let group = ServiceGroup(configuration: self.configuration)
        try await withThrowingTaskGroup(of: End.self) { tasks in
            await self.reportEvents(&tasks)
            tasks.addTask {
                try await Self.endAtSecondInterrupt()
                return .aside
            }
            tasks.addTask {
                try await group.run()
                return .finished
            }
            tasks.addTask {
                await self.readerGone.wait()
                return .readerGone
            }
            while let end = try await tasks.next() {
                if case .aside = end { continue }
                break
            }
            tasks.cancelAll()
            // A relay that is cancelled says so, which is no failure here.
            while let result = await tasks.nextResult() {
                if case .failure(let error) = result, !(error is CancellationError), !(error is ServiceGroupError) {
                    throw error
                }
            }
        }
    }

    private var configuration: ServiceGroupConfiguration {
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(service: self.relay, successTerminationBehavior: .gracefullyShutdownGroup)
        ]
        if let watch {
            services.append(.init(service: watch, successTerminationBehavior: .gracefullyShutdownGroup))
        }
        var logger = self.logger
        // The group's own words are about services; the relay's say the same.
        logger.logLevel = max(logger.logLevel, .warning)
        return ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
    }

    /// The first interrupt is the service group's. Whoever asks again does not want to wait.
    private static func endAtSecondInterrupt() async throws {
        var count = 0
        for await _ in await UnixSignalsSequence(trapping: .sigint) {
            count += 1
            if count == 2 { OutboxCommand.exit(.interrupted) }
        }
    }

    /// Begins to listen before the relay begins to work.
    private func reportEvents(_ tasks: inout ThrowingTaskGroup<End, any Error>) async {
        guard self.reportsEvents else { return }
        let listening = Latch()
        let events = self.relay.events.buffering(newest: 1 << 20)
        tasks.addTask {
            var iterator = events.makeAsyncIterator()
            listening.open()
            var json = JSONWriter()
            while let event = await iterator.next() {
                json.line(event)
                _ = Descriptor(Terminal.error.descriptor).writeAll(json.take()[...])
            }
            return .aside
        }
        await listening.wait()
    }
}
