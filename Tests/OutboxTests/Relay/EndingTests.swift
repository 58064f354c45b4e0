import Logging
import OutboxRuntime
import Synchronization
import TestSupport
import Testing

@testable import Outbox
@testable import OutboxTesting

/// With which error a relay ends, and after which it goes on.
@Suite(.timeLimit(.minutes(5))) struct EndingTests {
    private struct Unknown: Error {}

    /// Fails each session with the next of some errors, then opens sessions in memory.
    private final class Failing: RelayStore {
        private let errors: Mutex<[any Error]>
        private let outbox: InMemoryOutbox
        /// Whether the first session is opened before an error comes.
        private let worksFirst: Bool
        private let opened = Atomic(0)

        init(_ errors: [any Error], _ outbox: InMemoryOutbox, worksFirst: Bool = false) {
            self.errors = Mutex(errors)
            self.outbox = outbox
            self.worksFirst = worksFirst
        }

        func openSession(subscription: String, logger: Logger) async throws -> any RelaySession {
            let isFirst = self.opened.add(1, ordering: .relaxed).newValue == 1
            if !(isFirst && self.worksFirst), let error = self.errors.withLock({ $0.isEmpty ? nil : $0.removeFirst() })
            {
                throw error
            }
            return try await self.outbox.openSession(subscription: subscription, logger: logger)
        }
    }

    /// Knows when a relay has looked around since it was asked to end.
    private final class Noticing: RelayStore {
        private let outbox: InMemoryOutbox
        private let session = Mutex<(any RelaySession)?>(nil)
        private let isCounting = Atomic(false)
        private let looks = Atomic(0)
        private let hasLooked = Latch()

        init(_ outbox: InMemoryOutbox) { self.outbox = outbox }

        func openSession(subscription: String, logger: Logger) async throws -> any RelaySession {
            let session = try await self.outbox.openSession(subscription: subscription, logger: logger)
            self.session.withLock { $0 = session }
            return WatchedSession(
                session,
                onNote: {
                    guard self.isCounting.load(ordering: .sequentiallyConsistent) else { return }
                    // The first look may have begun before it was asked to.
                    switch self.looks.add(1, ordering: .sequentiallyConsistent).newValue {
                    case 1: session.wake()
                    case 2: self.hasLooked.open()
                    default: break
                    }
                })
        }

        func end(_ relay: Relay) async {
            relay.stop()
            self.isCounting.store(true, ordering: .sequentiallyConsistent)
            self.session.withLock { $0 }?.wake()
            await self.hasLooked.wait()
        }
    }

    /// A transport that fails with an error.
    private final class Failed: Transport {
        let error: any Error
        init(_ error: any Error) { self.error = error }
        var description: String { "failed" }
        var health: TransportHealth { .up }
        func run() async throws { throw self.error }
        func deliver(_ batch: MessageBatch) async throws -> [Outcome] { batch.map { _ in .delivered } }
        func close() async {}
    }

    /// Delivers one message, or ends.
    private func end(_ store: some RelayStore) async -> (any Error)? {
        let relay = RelayUnderTest.make(store, ["d": .handler { _ in }])
        do {
            try await RelayUnderTest.run(relay) { event in
                if case .delivered = event { .gracefully } else { nil }
            }
            return nil
        } catch {
            return error
        }
    }

    /// What was read is not delivered for as long as there is time: only pages that have begun are, so that nothing comes again.
    @Test func aRelayThatEndsFinishesWhatHasBegun() async throws {
        let outbox = InMemoryOutbox()
        let count: Int64 = 1000
        for number in 0..<count { try outbox.enqueue(NewMessage(to: "d", key: "\(number % 100)", text: "")) }
        let store = Noticing(outbox)
        func relay(_ handler: DestinationHandler) -> Relay {
            RelayUnderTest.make(store, ["d": handler]) { settings in
                settings.page.messages = 10
                settings.window.messages = 500
            }
        }
        let (began, mayGoOn) = (Latch(), Latch())
        let delivered = Mutex<[Int64]>([])
        let handler = DestinationHandler.handler(concurrency: 4) { message in
            began.open()
            await mayGoOn.wait()
            delivered.withLock { $0.append(message.id) }
        }
        let first = relay(handler)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await first.run() }
            await began.wait()
            await store.end(first)
            mayGoOn.open()
            try await group.waitForAll()
        }
        let finished = delivered.withLock { $0.count }
        #expect(
            finished > 0 && finished.isMultiple(of: 10) && finished <= 40, "whole pages that had begun: \(finished)")
        try await RelayUnderTest.run(relay(handler)) { _ in
            delivered.withLock { $0.count } >= count ? .gracefully : nil
        }
        #expect(delivered.withLock { $0.sorted() } == Array(1...count))
    }

    @Test func eachCodeSaysWhetherARelayThatHasNotWorkedGoesOn() async throws {
        for code in RelayError.Code.all {
            let outbox = InMemoryOutbox()
            try outbox.enqueue(NewMessage(to: "d", text: "x"))
            let error = await self.end(Failing([RelayError(code, "x")], outbox))
            #expect((error as? RelayError)?.code == (code.remedy == .retry ? nil : code), "\(code)")
            #expect(RelayError(code, "x").isRetriable == (code.remedy == .retry), "\(code)")
        }
    }

    @Test func eachCodeSaysWhetherARelayThatHasWorkedGoesOn() async throws {
        for code in RelayError.Code.all {
            let outbox = InMemoryOutbox()
            let relay = RelayUnderTest.make(
                Failing([RelayError(code, "x")], outbox, worksFirst: true), ["d": .handler { _ in }])
            let events = relay.events
            let error = await withTaskGroup(of: (any Error)?.self) { group in
                group.addTask {
                    do { try await relay.run() } catch { return error }
                    return nil
                }
                for await event in events {
                    if event == .started {
                        outbox.disconnectSessions()
                        break
                    }
                }
                for await event in events {
                    if event == .started { relay.stop() }
                }
                return await group.next() ?? nil
            }
            #expect((error as? RelayError)?.code == (code.remedy == .end ? code : nil), "\(code)")
        }
    }

    /// A store that throws something else has met what nothing is known of: trying again would hide it.
    @Test func anErrorOfAnotherKindEndsTheRelay() async throws {
        let error = await self.end(Failing([Unknown()], InMemoryOutbox()))
        let ended = try #require(error as? RelayError)
        #expect(ended.code == .unexpected && !ended.isRetriable && ended.underlying is Unknown)
        #expect(ended.debugDescription.contains("unexpected") && ended.debugDescription.contains("Unknown"))
    }

    @Test func whatATransportThrowsEndsTheRelay() async throws {
        let errors: [(any Error, RelayError.Code)] = [
            (Unknown(), .transportEnded), (TransportConfigurationError("x"), .configuration),
            (RelayError(.privilege, "x"), .privilege),
        ]
        for (error, code) in errors {
            let relay = RelayUnderTest.make(InMemoryOutbox(), ["d": .transport(Failed(error))])
            let ended = await #expect(throws: RelayError.self) { try await relay.run() }
            #expect(ended?.code == code)
        }
    }

    @Test func aCancelledRelayWasCancelledWhateverFailedThen() async throws {
        let relay = RelayUnderTest.make(InMemoryOutbox(), ["d": .handler { _ in }])
        let events = relay.events
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await #expect(throws: CancellationError.self) { try await relay.run() } }
            for await event in events where event == .started { group.cancelAll() }
        }
    }
}
