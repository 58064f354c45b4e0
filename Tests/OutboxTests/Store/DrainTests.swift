import Outbox
import OutboxTesting
import Synchronization
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What ``InMemoryOutbox/drain(routes:subscription:retries:logger:)`` delivers, and when it ends.
@Suite(.timeLimit(.minutes(5))) struct DrainTests {
    private struct Busy: Error {}

    /// Calls of handlers, in their order.
    private final class Calls: Sendable {
        private let texts = Mutex<[String]>([])
        var all: [String] { self.texts.withLock(\.self) }

        /// - Returns: How many there were of that text, this one included.
        @discardableResult
        func add(_ text: String) -> Int {
            self.texts.withLock { texts in
                texts.append(text)
                return texts.count { $0 == text }
            }
        }
    }

    @Test func deliversWhatWaitsAndSaysSo() async throws {
        let outbox = InMemoryOutbox()
        let calls = Calls()
        let ids = try (1...2500).map { try outbox.enqueue(NewMessage(to: "d", key: "\($0 % 7)", text: "\($0)")) }
        let result = try await outbox.drain(routes: ["d": .handler { calls.add($0.text) }])
        #expect(result.messages.map(\.id) == ids)
        #expect(result.messages.allSatisfy { $0.ending == .delivered && $0.attempts == 1 })
        #expect(calls.all.count == 2500)
        #expect(outbox.pending().isEmpty)
        #expect(try await outbox.drain(routes: ["d": .handler { calls.add($0.text) }]).messages.isEmpty)
    }

    /// Pauses are the test clock's, and the order of a key is kept.
    @Test func retriesByTheClock() async throws {
        let clock = ManualClock()
        let start = clock.now
        let outbox = InMemoryOutbox(clock: clock)
        let calls = Calls()
        try outbox.enqueue(["a", "b"].map { NewMessage(to: "d", key: "k", text: $0) })
        let result = try await outbox.drain(
            routes: [
                "d": .handler(retry: .constant(.seconds(3600))) { message in
                    if calls.add(message.text) < 3, message.text == "a" { throw Busy() }
                }
            ])
        #expect(calls.all == ["a", "a", "a", "b"])
        #expect(result.delivered.map(\.attempts) == [3, 1])
        #expect(clock.now == start.addingTimeInterval(7200))
    }

    /// Without a clock of its own, too: nothing waits for an hour.
    @Test func waitsForNothingWithoutAClock() async throws {
        let outbox = InMemoryOutbox()
        let calls = Calls()
        try outbox.enqueue(NewMessage(to: "d", text: "a"))
        try outbox.enqueue(NewMessage(to: "d", deliverAt: Date() + 1_000_000, text: "later"))
        let result = try await outbox.drain(
            routes: [
                "d": .handler(retry: .constant(.seconds(3600), maximumAttempts: 3)) { message in
                    calls.add(message.text)
                    if message.text == "a" { throw Busy() }
                }
            ])
        #expect(calls.all == ["a", "a", "a", "later"])
        #expect(result.dead.map(\.attempts) == [3])
        #expect(result.delivered.map(\.message.payload) == [Array("later".utf8)])
    }

    @Test func rejectedMessagesAreDead() async throws {
        let outbox = InMemoryOutbox()
        let id = try outbox.enqueue(NewMessage(to: "d", text: "a"))
        let result = try await outbox.drain(routes: ["d": .handler { _ in throw DeliveryFailure.reject("no") }])
        let dead = try #require(result.dead.first)
        #expect(dead.id == id)
        #expect(dead.ending == .dead(.rejected, error: "no"))
        #expect("\(result)".contains("#\(id) to d: dead (rejected: no), 1 attempt"))
    }

    /// A destination that is never there ends it all the same; one that comes back gets its messages.
    @Test func anOutageHasAnEnd() async throws {
        let outbox = InMemoryOutbox(clock: ManualClock())
        let calls = Calls()
        try outbox.enqueue(["a", "b"].map { NewMessage(to: "gone", key: "k", text: $0) })
        try outbox.enqueue(NewMessage(to: "back", text: "c"))
        let result = try await outbox.drain(
            routes: [
                "gone": .handler { message in
                    calls.add(message.text)
                    throw DeliveryFailure.unavailable("no route to host")
                },
                "back": .handler { message in
                    if calls.add(message.text) <= 5 { throw DeliveryFailure.unavailable("not yet") }
                },
            ], retries: 20)
        #expect(result.delivered.map(\.message.destination) == ["back"])
        #expect(result.delivered.map(\.attempts) == [1])
        #expect(result.waiting.map(\.message.payload) == [Array("a".utf8), Array("b".utf8)])
        #expect(result.waiting.first?.ending == .waiting(error: "no route to host"))
        #expect(calls.all.count { $0 == "a" } == 21)
        #expect(!calls.all.contains("b"))
        #expect(outbox.deferred().count == 2)
    }

    @Test func messagesWithoutARouteWait() async throws {
        let outbox = InMemoryOutbox()
        try outbox.enqueue(NewMessage(to: "mine", text: "a"))
        let other = try outbox.enqueue(NewMessage(to: "other", text: "b"))
        let result = try await outbox.drain(routes: ["mine": .handler { _ in }])
        #expect(result.waiting.map(\.id) == [other])
        #expect(result.waiting.map(\.attempts) == [0])
        var routes = RelayRoutes()
        routes.others = .handler { _ in }
        #expect(try await outbox.drain(routes: routes).delivered.map(\.id) == [other])
    }

    /// What handlers enqueue is delivered, of destinations that are new as well.
    @Test func followsWhatHandlersEnqueue() async throws {
        let outbox = InMemoryOutbox()
        try outbox.enqueue(NewMessage(to: "order", text: "3"))
        var routes: RelayRoutes = [
            "order": .handler { message in
                let number = Int(message.text) ?? 0
                try outbox.enqueue(NewMessage(to: number > 0 ? "order" : "mail", text: "\(number - 1)"))
            }
        ]
        routes.others = .handler { _ in }
        let result = try await outbox.drain(routes: routes)
        #expect(result.delivered.map(\.message.destination) == ["order", "order", "order", "order", "mail"])
    }

    @Test func aRelayThatRunsIsInTheWay() async throws {
        let outbox = InMemoryOutbox()
        let relay = Relay(store: outbox, routes: ["d": .handler { _ in }])
        let events = relay.events
        async let running: Void = relay.run()
        for await event in events where event == .started {
            let error = await #expect(throws: RelayError.self) {
                try await outbox.drain(routes: ["d": .handler { _ in }])
            }
            #expect(error?.code == .misuse)
            // Another subscription has streams of its own.
            #expect(try await outbox.drain(routes: ["d": .handler { _ in }], subscription: "other").messages.isEmpty)
            relay.stop()
        }
        try await running
    }

    /// What ends the relay is thrown.
    @Test func anErrorOfATransportEndsIt() async throws {
        let outbox = InMemoryOutbox()
        try outbox.enqueue(NewMessage(to: "d", text: "a"))
        await #expect(throws: (any Error).self) {
            try await outbox.drain(routes: ["d": .transport(BrokenTransport())])
        }
    }

    private final class BrokenTransport: Transport {
        let description = "broken"
        let health = TransportHealth.starting
        func run() async throws { throw Busy() }
        func close() async {}
        func deliver(_ batch: MessageBatch) async throws -> [Outcome] { batch.map { _ in .unavailable("broken") } }
    }
}
