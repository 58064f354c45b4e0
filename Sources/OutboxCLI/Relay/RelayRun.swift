import Dispatch
import Logging
import Outbox
import OutboxRuntime
import ServiceLifecycle
import UnixSignals

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif
#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Runs a relay as a program does: with signals, and with the conditions that end it.
struct RelayRun {
    let relay: Relay
    /// Opened when stdout has lost its reader.
    let readerGone: Latch
    /// Ends the relay when everything is delivered; nil: it runs until a signal.
    let watch: BacklogWatch?
    /// The events that are written to stderr; nil: none.
    let events: Set<EventKind>?
    let logger: Logger

    private enum End {
        case finished
        case readerGone
        case interrupted
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
                await Self.secondInterrupt()
                return .interrupted
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
            // A relay that was cancelled because its reader has gone has not failed, whatever it throws.
            while let end = try await tasks.next() {
                switch end {
                case .aside: continue
                case .finished, .readerGone: return
                case .interrupted: try await Self.endAtOnce(&tasks)
                }
            }
        }
    }

    /// Ends the process when the commands that handlers have begun are killed, which takes a moment at most.
    private static func endAtOnce(_ tasks: inout ThrowingTaskGroup<End, any Error>) async throws {
        DispatchQueue.global().asyncAfter(deadline: .now() + 1) { OutboxCommand.exit(.interrupted) }
        tasks.cancelAll()
        while let result = await tasks.nextResult() { _ = result }
        OutboxCommand.exit(.interrupted)
    }

    private var configuration: ServiceGroupConfiguration {
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(service: self.relay, successTerminationBehavior: .gracefullyShutdownGroup)
        ]
        if let watch {
            services.append(.init(service: watch, successTerminationBehavior: .gracefullyShutdownGroup))
        }
        var logger = self.logger
        // The group logs about services; the relay's own log says the same.
        logger.logLevel = max(logger.logLevel, .warning)
        return ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: Self.shutdownSignals, logger: logger)
    }

    /// A terminal that is closed ends the relay too, unless it was started to outlive it (`nohup`).
    private static var shutdownSignals: [UnixSignal] {
        var action = sigaction()
        unsafe sigaction(SIGHUP, nil, &action)
        #if canImport(Darwin)
        let handler = unsafe action.__sigaction_u.__sa_handler
        #else
        let handler = unsafe action.__sigaction_handler.sa_handler
        #endif
        let isIgnored = unsafe unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
        return isIgnored ? [.sigterm, .sigint] : [.sigterm, .sigint, .sighup]
    }

    /// The first interrupt is the service group's. The second one ends the relay without waiting.
    private static func secondInterrupt() async {
        var count = 0
        for await _ in await UnixSignalsSequence(trapping: .sigint) {
            count += 1
            if count == 2 { return }
        }
    }

    /// Writes events to stderr, from those of the start on.
    private func reportEvents(_ tasks: inout ThrowingTaskGroup<End, any Error>) {
        guard let kinds = self.events else { return }
        let events = self.relay.events(bufferingNewest: 1 << 20)
        tasks.addTask {
            var json = JSONWriter()
            for await event in events where kinds.contains(EventKind(event)) {
                json.line(event, at: Date())
                Terminal.error.write(json.take())
            }
            return .aside
        }
    }
}
