import Logging
import Outbox
import OutboxTesting
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite("Outbox in memory", .timeLimit(.minutes(5)))
struct InMemoryOutboxTests {
    private struct Stop: Error {}

    private func session(_ outbox: InMemoryOutbox) async throws -> (any RelaySession, StreamID) {
        let session = try await outbox.openSession(subscription: "main", logger: Logger(label: "test"))
        let streams = try await session.attach(["orders"])
        return (session, try #require(streams.first).id)
    }

    private func read(
        _ session: any RelaySession, _ stream: StreamID, deferred: Bool = false
    ) async throws -> ReadResult {
        let request = ReadRequest(stream: stream, messages: deferred ? 0 : 10, bytes: 1 << 20, deferred: deferred)
        return try await session.read([request], until: .now)
    }

    // MARK: - Enqueueing

    @Test("What is enqueued is pending, in the order of ids")
    func enqueues() throws {
        let outbox = InMemoryOutbox()
        let message = NewMessage(to: "orders", key: "k", text: "hello")
        let first = try outbox.enqueue(message)
        let more = try outbox.enqueue([NewMessage(to: "invoices", text: "a"), NewMessage(to: "orders", text: "b")])
        #expect(outbox.pending().map(\.id) == [first] + more)
        #expect(outbox.pending().first?.message == message)
    }

    @Test("An invalid message is refused, and nothing is enqueued")
    func refuses() async throws {
        let outbox = InMemoryOutbox()
        #expect(throws: InvalidMessage.self) {
            try outbox.enqueue([NewMessage(to: "orders", text: "valid"), NewMessage(to: "", text: "invalid")])
        }
        await #expect(throws: InvalidMessage.self) {
            try await outbox.withTransaction { transaction in
                try transaction.enqueue(NewMessage(to: "orders", text: "valid"))
                try transaction.enqueue(NewMessage(to: "orders", key: "", text: "invalid"))
            }
        }
        #expect(outbox.pending().isEmpty)
    }

    @Test("A transaction becomes visible at its end")
    func commits() async throws {
        let outbox = InMemoryOutbox()
        let ids = try await outbox.withTransaction { transaction in
            let ids = [
                try transaction.enqueue(NewMessage(to: "orders", text: "1")),
                try transaction.enqueue(NewMessage(to: "orders", text: "2")),
            ]
            #expect(outbox.pending().isEmpty)
            return ids
        }
        #expect(outbox.pending().map(\.id) == ids)
    }

    @Test("A transaction whose body throws leaves nothing behind")
    func rollsBack() async throws {
        let outbox = InMemoryOutbox()
        await #expect(throws: Stop.self) {
            try await outbox.withTransaction { transaction in
                try transaction.enqueue(NewMessage(to: "orders", text: "1"))
                throw Stop()
            }
        }
        #expect(outbox.pending().isEmpty)
        #expect(try outbox.enqueue(NewMessage(to: "orders", text: "2")) == 2)
    }

    @Test("A transaction that has ended takes no more messages")
    func ended() throws {
        let outbox = InMemoryOutbox()
        let transaction = outbox.begin()
        try transaction.enqueue(NewMessage(to: "orders", text: "1"))
        transaction.commit()
        transaction.commit()
        transaction.rollback()
        #expect(throws: RelayError.self) { try transaction.enqueue(NewMessage(to: "orders", text: "2")) }
        #expect(outbox.pending().count == 1)
    }

    // MARK: - Idempotency keys

    private func message(_ key: String?, to destination: Destination = "orders") -> NewMessage {
        NewMessage(to: destination, idempotencyKey: key, text: "")
    }

    @Test("A message is enqueued once for an idempotency key and destination")
    func idempotencyKeys() async throws {
        let outbox = InMemoryOutbox()
        let ids = try outbox.enqueue([
            self.message("a"), self.message("a"), self.message("b"), self.message("a", to: "mail"), self.message(nil),
            self.message(nil),
        ])
        #expect(ids == [1, 1, 2, 3, 4, 5])
        #expect(try outbox.enqueue(self.message("b")) == 2)
        let again = try await outbox.withTransaction { transaction in
            [try transaction.enqueue(self.message("c")), try transaction.enqueue(self.message("c"))]
        }
        #expect(again == [6, 6])
        #expect(outbox.pending().map(\.id) == [1, 2, 3, 4, 5, 6])
    }

    @Test("What is rolled back, or never committed, leaves no idempotency key behind")
    func rolledBackKeys() async throws {
        let outbox = InMemoryOutbox()
        await #expect(throws: Stop.self) {
            try await outbox.withTransaction { transaction in
                try transaction.enqueue(self.message("a"))
                throw Stop()
            }
        }
        do {
            let released = outbox.begin()
            try released.enqueue(self.message("a"))
        }
        let id = try outbox.enqueue(self.message("a"))
        #expect(outbox.pending().map(\.id) == [id])
    }

    @Test("A key that an open transaction holds is refused until it ends")
    func heldKeys() throws {
        let outbox = InMemoryOutbox()
        let (one, two) = (outbox.begin(), outbox.begin())
        let id = try one.enqueue(self.message("a"))
        let error = #expect(throws: InvalidMessage.self) { try two.enqueue(self.message("a")) }
        #expect(error?.field == "idempotencyKey")
        // Nothing of a call that is refused stays, its keys neither.
        #expect(throws: InvalidMessage.self) { try outbox.enqueue([self.message("b"), self.message("a")]) }
        let other = try two.enqueue(self.message("b"))
        one.commit()
        #expect(try two.enqueue(self.message("a")) == id)
        two.rollback()
        #expect(try outbox.enqueue(self.message("b")) > other)
        #expect(outbox.pending().count == 2)
    }

    @Test("A key whose window is over is free again")
    func expiredKeys() async throws {
        let clock = ManualClock()
        let outbox = InMemoryOutbox(clock: clock, idempotencyWindow: .seconds(60))
        #expect(try outbox.enqueue(self.message("a")) == 1)
        clock.advance(by: .seconds(59))
        #expect(try outbox.enqueue(self.message("a")) == 1)
        clock.advance(by: .seconds(1))
        #expect(try outbox.enqueue(self.message("a")) == 2)
        #expect(try outbox.enqueue(self.message("a")) == 2)
    }

    // MARK: - Contents

    @Test("What is read stays pending until it is settled")
    func pendingUntilSettled() async throws {
        let outbox = InMemoryOutbox()
        let ids = try outbox.enqueue((0..<3).map { NewMessage(to: "orders", text: "\($0)") })
        let (session, stream) = try await self.session(outbox)
        let page = try #require(try await self.read(session, stream).pages.first)
        #expect(outbox.pending().map(\.id) == ids)
        var settlement = Settlement(stream: stream)
        settlement.through = page
        settlement.deferred = [
            Deferral(id: ids[0], attempts: 1, due: .after(.seconds(60)), ordered: false, error: "no")
        ]
        settlement.dead = [Death(id: ids[1], attempts: 10, reason: .exhausted, error: "never")]
        try await session.commit([settlement])
        #expect(outbox.pending().isEmpty)
        #expect(outbox.deferred().map(\.id) == [ids[0]])
        #expect(outbox.deadLetters().map(\.id) == [ids[1]])
        #expect(outbox.pending(subscription: "other").map(\.id) == ids)
        await session.close()
    }

    @Test("Dead letters are replayed and discarded")
    func deadLetters() async throws {
        let outbox = InMemoryOutbox()
        let ids = try outbox.enqueue((0..<2).map { NewMessage(to: "orders", text: "\($0)") })
        let (session, stream) = try await self.session(outbox)
        var settlement = Settlement(stream: stream)
        settlement.through = try await self.read(session, stream).pages.first
        settlement.dead = ids.map { Death(id: $0, attempts: 1, reason: .rejected, error: nil) }
        try await session.commit([settlement])

        #expect(outbox.replay(deadLetter: ids[0]))
        #expect(!outbox.replay(deadLetter: ids[0]))
        #expect(outbox.discard(deadLetter: ids[1]))
        #expect(!outbox.discard(deadLetter: ids[1]))
        #expect(outbox.deadLetters().isEmpty)
        let result = try await self.read(session, stream, deferred: true)
        #expect(result.deferredChanged)
        #expect(result.pages.first?.id(at: 0) == ids[0])
        await session.close()
    }

    @Test("Those that wait behind a discarded message are due")
    func discardsDeferred() async throws {
        let outbox = InMemoryOutbox()
        let ids = try outbox.enqueue((0..<2).map { NewMessage(to: "orders", key: "k", text: "\($0)") })
        let (session, stream) = try await self.session(outbox)
        var settlement = Settlement(stream: stream)
        settlement.through = try await self.read(session, stream).pages.first
        settlement.deferred = [
            Deferral(id: ids[0], attempts: 1, due: .after(.seconds(60)), ordered: true, error: nil),
            Deferral(id: ids[1], attempts: 0, due: .behindKey, ordered: true, error: nil),
        ]
        try await session.commit([settlement])
        #expect(outbox.discard(deferred: ids[0]))
        #expect(!outbox.discard(deferred: ids[0]))
        #expect(try await self.read(session, stream, deferred: true).pages.first?.id(at: 0) == ids[1])
        await session.close()
    }

    // MARK: - Clock

    @Test("A deferred message is due when the clock says so, and a waiting session is told")
    func manualClock() async throws {
        let clock = ManualClock()
        let outbox = InMemoryOutbox(clock: clock)
        let id = try outbox.enqueue(NewMessage(to: "orders", text: ""))
        #expect(outbox.pending().first?.createdAt == clock.now)
        let (session, stream) = try await self.session(outbox)
        var settlement = Settlement(stream: stream)
        settlement.through = try await self.read(session, stream).pages.first
        settlement.deferred = [
            Deferral(id: id, attempts: 1, due: .after(.milliseconds(100)), ordered: false, error: nil)
        ]
        try await session.commit([settlement])

        clock.advance(by: .milliseconds(30))
        #expect(try await self.read(session, stream, deferred: true).nextDue[stream] == .milliseconds(70))
        async let waiting = session.read([], until: nil)
        clock.advance(by: .milliseconds(70))
        #expect(try await waiting.deferredChanged)
        #expect(try await self.read(session, stream, deferred: true).pages.first?.id(at: 0) == id)
        await session.close()
    }

    @Test("The clock stands still until it is advanced")
    func clockStandsStill() {
        let clock = ManualClock(now: Date(timeIntervalSince1970: 1000))
        #expect(clock.now == Date(timeIntervalSince1970: 1000))
        clock.advance(by: .seconds(90))
        clock.advance(by: .seconds(-30))
        #expect(clock.now == Date(timeIntervalSince1970: 1060))
    }

    // MARK: - Sessions

    @Test("A session that is released gives up its ownership")
    func releasedSession() async throws {
        let outbox = InMemoryOutbox()
        _ = try await self.session(outbox)
        let (next, _) = try await self.session(outbox)
        await next.close()
    }

    @Test("Subscriptions have owners of their own")
    func subscriptions() async throws {
        let outbox = InMemoryOutbox()
        let (main, _) = try await self.session(outbox)
        let other = try await outbox.openSession(subscription: "other", logger: Logger(label: "test"))
        #expect(try await other.attach(["orders"]).count == 1)
        await other.close()
        await main.close()
    }

    @Test("A session that owns nothing, or is closed, can do nothing")
    func misuse() async throws {
        let outbox = InMemoryOutbox()
        let (owner, stream) = try await self.session(outbox)
        let second = try await outbox.openSession(subscription: "main", logger: Logger(label: "test"))
        await #expect(throws: RelayError.self) { try await second.read([], until: .now) }
        await #expect(throws: RelayError.self) { try await second.commit([Settlement(stream: stream)]) }
        await owner.close()
        let error = await #expect(throws: RelayError.self) { try await owner.read([], until: .now) }
        #expect(error?.isRetriable == false)
        await second.close()
    }

    @Test("A settlement that does not fit changes nothing")
    func misfit() async throws {
        let outbox = InMemoryOutbox()
        let id = try outbox.enqueue(NewMessage(to: "orders", text: ""))
        let (session, stream) = try await self.session(outbox)
        let page = try #require(try await self.read(session, stream).pages.first)
        var good = Settlement(stream: stream)
        good.through = page
        good.dead = [Death(id: id, attempts: 1, reason: .rejected, error: nil)]
        var bad = Settlement(stream: stream)
        bad.dead = [Death(id: id + 1, attempts: 1, reason: .rejected, error: nil)]
        await #expect(throws: RelayError.self) { try await session.commit([good, bad]) }
        #expect(outbox.deadLetters().isEmpty)
        try await session.commit([good])
        await #expect(throws: RelayError.self) { try await session.commit([good]) }
        await session.close()
    }
}
