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
    let again: (@Sendable () async throws -> Relay)?
    /// The signals that ask for that.
    let hangups: UnixSignalsSequence?
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
    /// - Returns: The last.
    /// - Throws: What the relay or the watch throws.
    @discardableResult
    func callAsFunction(_ first: Relay) async throws -> Relay {
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
                // A relay that cannot be watched delivers nothing.
                try await service.listener.started()
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
                    await Supervision(manager: manager).run { succession.current.relay.state }
                    return .aside
                }
            }
            tasks.addTask { .finished(try await self.runAll(succession)) }
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
        self.logger.notice("reading the configuration again")
        self.manager?.tell(.reloading)
        do {
            let next = try await again()
            if succession.replace(with: next) {
                self.logger.notice("the configuration holds when what has begun is delivered")
                // It has a session, or has found that there is none.
                while next.state.phase == .starting, !succession.isEnding, !Task.isCancelled {
                    try? await Task.sleep(for: .milliseconds(50))
                }
            }
        } catch {
            // A relay that ends needs no other configuration.
            if succession.isEnding || Task.isCancelled { return }
            for problem in (error as? ConfigurationFile.Failure)?.problems ?? [CommandFailure(error).message] {
                self.logger.error(
                    "the configuration cannot be used; what was before goes on", metadata: ["reason": "\(problem)"])
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
        let isHangupAnEnd = self.hangups == nil && !Self.ignoresHangup
        var interrupts = 0
        for await signal in await UnixSignalsSequence(
            trapping: isHangupAnEnd ? [.sigterm, .sigint, .sighup] : [.sigterm, .sigint])
        {
            self.logger.info("a signal ends the relay", metadata: ["signal": "\(signal)"])
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

/// Which relay runs, and which follows it.
private final class RelaySuccession: Sendable {
    private struct State {
        var relay: Relay
        var isOver = Latch()
        var next: Relay?
        var isEnding = false
    }

    private let state: Mutex<State>

    init(_ first: Relay) {
        self.state = Mutex(State(relay: first))
    }

    /// The relay that runs, and what is opened when it is to end.
    var current: (relay: Relay, isOver: Latch) { self.state.withLock { ($0.relay, $0.isOver) } }

    /// Has the relay end, and another follow it.
    ///
    /// - Returns: Whether another follows: not if all is to end.
    func replace(with next: Relay) -> Bool {
        let isOver = self.state.withLock { state -> Latch? in
            if state.isEnding { return nil }
            state.next = next
            return state.isOver
        }
        isOver?.open()
        return isOver != nil
    }

    /// Has the relay end for good.
    func end() {
        self.state.withLock { state in
            state.isEnding = true
            return state.isOver
        }.open()
    }

    /// How the relay is that runs now.
    var health: RelayHealth {
        let (relay, isEnding, next) = self.state.withLock { ($0.relay, $0.isEnding, $0.next) }
        var state = relay.state
        // Between two relays: the next one begins.
        if state.phase == .ended, let next { state = next.state }
        return RelayHealth(state: state, isEnding: isEnding, streamCount: relay.streamCount)
    }

    /// Whether no other relay follows.
    var isEnding: Bool { self.state.withLock(\.isEnding) }

    /// Called when the relay has ended.
    ///
    /// - Returns: Whether another follows.
    func advance() -> Bool {
        self.state.withLock { state in
            guard !state.isEnding, let next = state.next else {
                state.isEnding = true
                return false
            }
            (state.relay, state.isOver, state.next) = (next, Latch(), nil)
            return true
        }
    }
}

/// Ends, as a service, when a latch is opened.
private struct LatchService: Service {
    let latch: Latch

    func run() async throws { await cancelWhenGracefulShutdown { await self.latch.wait() } }
}
