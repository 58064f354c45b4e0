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
            self.reportEvents(&tasks)
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
            defer { tasks.cancelAll() }
            // What a relay throws that was cancelled because its reader has gone is no failure.
            while let end = try await tasks.next() {
                if case .aside = end { continue }
                return
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

    /// Writes events to stderr, from those of the start on.
    private func reportEvents(_ tasks: inout ThrowingTaskGroup<End, any Error>) {
        guard self.reportsEvents else { return }
        let events = self.relay.events(bufferingNewest: 1 << 20)
        tasks.addTask {
            var json = JSONWriter()
            for await event in events {
                json.line(event)
                _ = Descriptor(Terminal.error.descriptor).writeAll(json.take()[...])
            }
            return .aside
        }
    }
}
