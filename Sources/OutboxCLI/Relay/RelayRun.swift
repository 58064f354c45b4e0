import Dispatch
import Logging
import Outbox
import OutboxRuntime
import ServiceLifecycle
import Synchronization
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
struct RelayRun: Sendable {
    /// Opened when stdout has lost its reader.
    let readerGone: Latch
    /// Ends the relay when everything is delivered; nil: it runs until a signal.
    let watch: BacklogWatch?
    /// The events that are written to stderr; nil: none.
    let events: Set<EventKind>?
    let logger: Logger
    /// What answers to probes and scrapers; nil: nothing does.
    let service: RelayService?
    /// Makes the relay that follows when SIGHUP has the configuration read again; nil: SIGHUP ends the relay, as it does when a terminal is closed.
    let again: (@Sendable () async throws -> RelaySuccession.Next)?
    /// The signals that ask for that.
    let hangups: UnixSignalsSequence?
    /// The signals that end the relay.
    let ends: UnixSignalsSequence
    /// Who wants to know how the relay is; nil: nothing has asked.
    let manager: ServiceManager?

    private enum End {
        case finished(Relay)
        case readerGone
        case interrupted
        case aside
    }

    /// Runs a relay, and those that follow it, until the last has ended.
    ///
    /// - Parameter check: What is done before the first begins. It is cancelled by a signal.
    /// - Returns: The last.
    /// - Throws: What the check, the relay or the watch throws.
    @discardableResult
    func callAsFunction(
        _ first: Relay, after check: @escaping @Sendable () async throws -> Void
    ) async throws -> Relay {
        let succession = RelaySuccession(first)
        return try await withThrowingTaskGroup(of: End.self) { tasks in
            defer { tasks.cancelAll() }
            tasks.addTask {
                await self.obeySignals(succession)
                return .interrupted
            }
            if let service {
                tasks.addTask {
                    await service.run { succession.health }
                    return .aside
                }
            }
            if let hangups {
                let (requests, request) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
                tasks.addTask {
                    // What comes while the configuration is read is one more request, however often it comes.
                    for await _ in hangups { request.yield() }
                    return .aside
                }
                tasks.addTask {
                    for await _ in requests { await self.replace(in: succession) }
                    return .aside
                }
            }
            if let manager {
                tasks.addTask {
                    await Supervision(manager: manager).run { succession.relayState }
                    return .aside
                }
            }
            tasks.addTask {
                // A relay that cannot be watched delivers nothing.
                try await self.service?.listener.started()
                return try await succession.isCancelledAtEnd(check)
                    ? .finished(first) : .finished(try await self.runAll(succession))
            }
            tasks.addTask {
                await self.readerGone.wait()
                return .readerGone
            }
            // A relay that was cancelled because its reader has gone has not failed, whatever it throws.
            while let end = try await tasks.next() {
                switch end {
                case .aside: continue
                case .finished(let relay): return relay
                case .readerGone: return first
                case .interrupted: try await Self.endAtOnce(&tasks)
                }
            }
            return first
        }
    }

    /// Runs one relay after the other.
    private func runAll(_ succession: RelaySuccession) async throws -> Relay {
        while true {
            let (relay, isOver) = succession.current
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                self.reportEvents(of: relay, &tasks)
                let group = ServiceGroup(configuration: self.configuration(relay, isOver))
                // The events end with the relay.
                tasks.addTask { try await group.run() }
                try await tasks.waitForAll()
            }
            if !succession.advance() { return relay }
        }
    }

    /// Has the configuration read again, and the relay that is made of it take over. One that is wrong changes nothing.
    private func replace(in succession: RelaySuccession) async {
        guard let again else { return }
        self.logger.notice("Reading the configuration again")
        self.manager?.tell(.reloading)
        do {
            let next = try await again()
            if succession.replace(with: next) {
                self.logger.notice("The configuration holds when what has begun is delivered")
                // It has a session, or has found that there is none.
                while next.relay.state.phase == .starting, !succession.isEnding, !Task.isCancelled {
                    try? await Task.sleep(for: .milliseconds(50))
                }
            }
        } catch {
            // A relay that ends needs no other configuration.
            if succession.isEnding || Task.isCancelled { return }
            for problem in (error as? ConfigurationFile.Failure)?.problems ?? [CommandFailure(error).message] {
                self.logger.error(
                    "The configuration cannot be used; what was before goes on", metadata: ["reason": "\(problem)"])
            }
        }
        if !succession.isEnding { self.manager?.tell(.ready) }
    }

    /// Ends the process when the commands that handlers have begun are killed, which takes a moment at most.
    private static func endAtOnce(_ tasks: inout ThrowingTaskGroup<End, any Error>) async throws {
        DispatchQueue.global().asyncAfter(deadline: .now() + 1) { OutboxCommand.exit(.interrupted) }
        tasks.cancelAll()
        while let result = await tasks.nextResult() { _ = result }
        OutboxCommand.exit(.interrupted)
    }

    private func configuration(_ relay: Relay, _ isOver: Latch) -> ServiceGroupConfiguration {
        var services: [any Service] = [relay, LatchService(latch: isOver)]
        if let watch { services.append(watch) }
        var logger = self.logger
        // The group logs about services; the relay's own log says the same.
        logger.logLevel = max(logger.logLevel, .warning)
        return ServiceGroupConfiguration(
            services: services.map { .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup) },
            logger: logger)
    }

    /// Traps the signals that end a relay: from then on they end it and not the process.
    ///
    /// - Parameter hangups: Whether SIGHUP has another meaning.
    static func trapEnds(but hangups: Bool) async -> UnixSignalsSequence {
        let isHangupAnEnd = !hangups && !Self.ignoresHangup
        return await UnixSignalsSequence(
            trapping: isHangupAnEnd ? [.sigterm, .sigint, .sighup] : [.sigterm, .sigint])
    }

    /// Whether the process was started to outlive its terminal (`nohup`).
    private static var ignoresHangup: Bool {
        var action = sigaction()
        unsafe sigaction(SIGHUP, nil, &action)
        #if canImport(Darwin)
        let handler = unsafe action.__sigaction_u.__sa_handler
        #else
        let handler = unsafe action.__sigaction_handler.sa_handler
        #endif
        return unsafe unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    /// Ends the relay at the first signal. Returns at the second interrupt, which ends it without waiting.
    private func obeySignals(_ succession: RelaySuccession) async {
        var interrupts = 0
        for await signal in self.ends {
            self.logger.info("A signal ends the relay", metadata: ["signal": "\(signal)"])
            self.manager?.tell(.stopping)
            succession.end()
            if signal == .sigint { interrupts += 1 }
            if interrupts == 2 { return }
        }
    }

    /// Writes events to stderr, from those of the start on.
    private func reportEvents(of relay: Relay, _ tasks: inout ThrowingTaskGroup<Void, any Error>) {
        guard let kinds = self.events else { return }
        let events = relay.events(bufferingNewest: 1 << 20)
        tasks.addTask {
            var json = JSONWriter()
            for await event in events where kinds.contains(EventKind(event)) {
                json.line(event, at: Date())
                Terminal.error.write(json.take())
            }
        }
    }
}

/// Ends, as a service, when a latch is opened.
private struct LatchService: Service {
    let latch: Latch

    func run() async throws { await cancelWhenGracefulShutdown { await self.latch.wait() } }
}
