import Logging
import OutboxRuntime
import OutboxTesting
import Synchronization
import TestSupport
import Testing

@testable import Outbox

/// A relay whose process was stopped for a while finds that out before it calls a handler.
@Suite(.timeLimit(.minutes(5))) struct PulseTests {
    /// A store whose answers have waited for the process.
    private final class LateStore: RelayStore {
        let outbox = InMemoryOutbox()
        /// What the next sessions answer that are asked whether they are alive; nil: they are.
        let errors: Mutex<[RelayError]>
        let confirmed = Mutex<[Int]>([])
        let delivered = Mutex<[Int64]>([])

        init(failing errors: RelayError...) { self.errors = Mutex(errors) }

        func openSession(subscription: String, logger: Logger) async throws -> any RelaySession {
            LateSession(try await self.outbox.openSession(subscription: subscription, logger: logger), self)
        }
    }

    private actor LateSession: RelaySession {
        private let session: any RelaySession
        private let store: LateStore

        init(_ session: any RelaySession, _ store: LateStore) { (self.session, self.store) = (session, store) }

        func read(_ requests: [ReadRequest], until deadline: ContinuousClock.Instant?) async throws -> ReadResult {
            var result = try await self.session.read(requests, until: deadline)
            result.askedAt = result.askedAt.map { $0 - Pulse.trust }
            return result
        }

        func confirm() async throws {
            let count = self.store.delivered.withLock(\.count)
            self.store.confirmed.withLock { $0.append(count) }
            if let error = self.store.errors.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { throw error }
            try await self.session.confirm()
        }

        func attach(
            _ destinations: [Destination], andOthers: Bool, from position: FirstPosition, lookingEvery interval: Duration
        ) async throws -> [AttachedStream] {
            try await self.session.attach(destinations, andOthers: andOthers, from: position, lookingEvery: interval)
        }
        func commit(_ settlements: [Settlement]) async throws -> [StreamID: RelayError] {
            try await self.session.commit(settlements)
        }
        func release(_ streams: [StreamID]) async throws { try await self.session.release(streams) }
        func deferredKeys() async throws -> [StreamID: [UInt64: Int]] { try await self.session.deferredKeys() }
        nonisolated func wake() { self.session.wake() }
        func close() async { await self.session.close() }
    }

    private func run(_ store: LateStore, messages: Int) async throws {
        for number in 0..<messages { try store.outbox.enqueue(NewMessage(to: "d", text: "\(number)")) }
        var settings = RelaySettings()
        settings.reconnect.initialDelay = .milliseconds(1)
        let routes: RelayRoutes = [
            "d": .handler(concurrency: 4) { message in store.delivered.withLock { $0.append(message.id) } }
        ]
        let relay = Relay(
            store: store, routes: routes, settings: settings,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await relay.run() }
            try await eventually("all are delivered") { store.delivered.withLock(\.count) >= messages }
            relay.stop()
            try await group.waitForAll()
        }
    }

    @Test func whatWasReadIsDeliveredWhenTheStoreAnswers() async throws {
        let store = LateStore()
        try await self.run(store, messages: 50)
        #expect(store.confirmed.withLock { $0 }.first == 0, "it was asked before the first call")
        #expect(store.delivered.withLock { $0.sorted() } == Array(1...50).map(Int64.init))
    }

    @Test func nothingIsDeliveredOfASessionThatIsOver() async throws {
        let store = LateStore(failing: RelayError(.connection, "ended"), RelayError(.connection, "ended again"))
        try await self.run(store, messages: 50)
        #expect(Array(store.confirmed.withLock { $0 }.prefix(3)) == [0, 0, 0], "two sessions delivered nothing")
        #expect(store.delivered.withLock { $0.sorted() } == Array(1...50).map(Int64.init), "each once")
    }

    @Test func aWorkerWaitsForAnAnswerToWhatWasAskedLately() async throws {
        let awaited = Latch()
        let pulse = Pulse { awaited.open() }
        let start = ContinuousClock.now
        #expect(!pulse.isTrusted)
        pulse.answered(askedAt: start)
        #expect(pulse.isTrusted)
        #expect(await pulse.wait())
        pulse.answered(askedAt: start - .seconds(1))
        #expect(pulse.isTrusted, "an older answer takes nothing back")
        #expect(!pulse.isAwaited)

        let late = Pulse { awaited.open() }
        late.answered(askedAt: start - Pulse.trust)
        #expect(!late.isTrusted)
        async let isAlive = late.wait()
        await awaited.wait()
        #expect(late.isAwaited)
        late.answered(askedAt: start - Pulse.trust)
        #expect(late.isAwaited, "that was asked too long ago")
        late.answered(askedAt: .now)
        #expect(await isAlive)
        #expect(!late.isAwaited)
    }

    @Test func aWorkerThatIsCancelledWaitsNoMore() async throws {
        let awaited = Latch()
        let pulse = Pulse { awaited.open() }
        let task = Task { await pulse.wait() }
        await awaited.wait()
        task.cancel()
        #expect(await task.value == false)
    }
}
