import Logging
import OutboxTesting
import Synchronization
import Testing

@testable import Outbox

/// The relay on the store in memory: what an application's own tests do, without a server and without waiting.
@Suite(.timeLimit(.minutes(5))) struct InMemoryRelayTests {
    private struct Refused: Error {}

    private func run(_ relay: Relay, until isDone: @escaping @Sendable (RelayEvent) -> Bool) async throws -> [RelayEvent] {
        let events = relay.events
        return try await withThrowingTaskGroup(of: [RelayEvent].self) { group in
            group.addTask {
                try await relay.run()
                return []
            }
            group.addTask {
                var seen: [RelayEvent] = []
                for await event in events {
                    seen.append(event)
                    if isDone(event) { relay.stop() }
                }
                return seen
            }
            var all: [RelayEvent] = []
            for try await some in group { all += some }
            return all
        }
    }

    private var quiet: Logger {
        var logger = Logger(label: "outbox.test")
        logger.logLevel = .critical
        return logger
    }

    /// Whatever a strategy or a handler asks for, the relay goes on, and says how long it is.
    @Test func aPauseThatNoClockHasIsCut() async throws {
        struct Strategy: DeliveryRetryStrategy {
            let answer: Duration
            func pause(after attempt: FailedAttempt) -> Duration { self.answer }
        }
        let longest = Duration.seconds(10_000 * 86400)
        let forever = Duration.seconds(Int64.max) * 10
        let outbox = InMemoryOutbox()
        let names = ["strategy", "negative", "handler", "unavailable"]
        for name in names { try outbox.enqueue(NewMessage(to: Destination(name), text: "")) }
        let error = RelayError(.unexpected, "no")
        let relay = Relay(
            store: outbox,
            routes: [
                "strategy": .handler(retry: Strategy(answer: forever)) { _ in throw error },
                "negative": .handler(retry: Strategy(answer: .zero - forever)) { if $0.attempt == 1 { throw error } },
                "handler": .handler { _ in throw DeliveryFailure.retry(after: forever) },
                "unavailable": .handler(retry: Strategy(answer: forever), breaker: .off) { _ in
                    throw DeliveryFailure.unavailable("down")
                },
            ], logger: self.quiet)
        let settled = Mutex<Set<String>>([])
        let events = try await self.run(relay) { event in
            let destination: Destination
            switch event {
            case .retried(_, "negative", _, _, _): return false
            case .retried(_, let name, _, _, _), .delivered(_, let name, _): destination = name
            default: return false
            }
            return settled.withLock { settled in
                settled.insert(destination.name)
                return settled.count == names.count
            }
        }
        let pauses = events.compactMap { event -> Duration? in
            guard case .retried(_, let destination, _, let pause, _) = event else { return nil }
            return destination == "negative" ? nil : pause
        }
        #expect(pauses == Array(repeating: longest, count: 3))
    }

    @Test func deliversWhatCommitted() async throws {
        let outbox = InMemoryOutbox()
        try outbox.enqueue(NewMessage(to: "d", text: "before"))
        try? await outbox.withTransaction { transaction in
            try transaction.enqueue(NewMessage(to: "d", text: "rolled back"))
            throw Refused()
        }
        try await outbox.withTransaction { transaction in
            try transaction.enqueue(NewMessage(to: "d", key: "k", text: "one"))
            try transaction.enqueue(NewMessage(to: "d", key: "k", text: "two"))
        }
        let texts = Mutex<[String]>([])
        let relay = Relay(
            store: outbox,
            routes: ["d": .handler { message in
                texts.withLock { $0.append(String(decoding: message.payload, as: UTF8.self)) }
            }], logger: self.quiet)
        let count = Atomic(0)
        let events = try await self.run(relay) { event in
            if case .delivered = event { return count.add(1, ordering: .relaxed).newValue == 3 }
            return false
        }
        #expect(texts.withLock { Set($0) } == ["before", "one", "two"])
        #expect(texts.withLock { $0.filter { $0 != "before" } } == ["one", "two"])
        #expect(events.first == .started)
        #expect(events.last == .stopped)
        #expect(outbox.pending().isEmpty)
    }

    @Test func aMessageThatKeepsFailingEndsInDeadLetter() async throws {
        let outbox = InMemoryOutbox()
        let id = try outbox.enqueue(NewMessage(to: "d", text: "poison"))
        let relay = Relay(
            store: outbox,
            routes: ["d": .handler(retry: .constant(.zero, maximumAttempts: 3)) { _ in throw Refused() }],
            logger: self.quiet)
        let events = try await self.run(relay) { event in
            if case .deadLettered = event { return true }
            return false
        }
        #expect(events.filter { if case .retried = $0 { true } else { false } }.count == 2)
        #expect(outbox.deadLetters().map(\.id) == [id])
        #expect(outbox.deferred().isEmpty)
    }

    /// The relay asks a strategy of an application's own as it asks those that there are.
    @Test func aStrategyOfAnApplicationSaysWhenAMessageIsTriedAgain() async throws {
        struct TwiceAtOnce: DeliveryRetryStrategy {
            let maximumAttempts = 3
            func pause(after attempt: FailedAttempt) -> Duration { .milliseconds(attempt.number) }
        }
        let outbox = InMemoryOutbox()
        try outbox.enqueue(NewMessage(to: "d", text: "poison"))
        try outbox.enqueue(NewMessage(to: "d", options: MessageOptions(maximumAttempts: 2), text: "poison"))
        let relay = Relay(
            store: outbox, routes: ["d": .handler(retry: TwiceAtOnce()) { _ in throw Refused() }], logger: self.quiet)
        let dead = Atomic(0)
        let events = try await self.run(relay) { event in
            if case .deadLettered = event { return dead.add(1, ordering: .relaxed).newValue == 2 }
            return false
        }
        let delays = events.compactMap { if case .retried(_, _, _, let delay, _) = $0 { delay } else { nil } }
        #expect(delays.sorted() == [.milliseconds(1), .milliseconds(1), .milliseconds(2)])
        #expect(outbox.deadLetters().map(\.attempts).sorted() == [2, 3])
    }

    @Test func aConfigurationThatMakesNoSenseIsRefused() async throws {
        var settings = RelaySettings()
        settings.window.messages = 10
        let relay = Relay(
            store: InMemoryOutbox(), routes: ["d": .handler { _ in }], settings: settings, logger: self.quiet)
        let error = await #expect(throws: RelayError.self) { try await relay.run() }
        #expect(error?.code == .configuration)
        #expect(error?.description.contains("window.messages is at least page.messages") == true)
        let idle = Relay(store: InMemoryOutbox(), routes: [:], logger: self.quiet)
        let noRoutes = await #expect(throws: RelayError.self) { try await idle.run() }
        #expect(noRoutes?.code == .noRoutes)
    }
}
