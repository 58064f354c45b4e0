import Logging
import Outbox
import OutboxRuntime
import OutboxTesting
import Synchronization
import TestSupport
import Testing

/// What a relay writes into its log of messages that are not delivered.
@Suite(.timeLimit(.minutes(5))) struct FailureLogTests {
    private struct Refused: Error, CustomStringConvertible {
        let description = "no\u{1B}[2J such\naddress"
    }

    private func run(_ count: Int, to destination: Destination, _ handler: DestinationHandler) async throws -> LogLines
    {
        let outbox = InMemoryOutbox()
        for number in 0..<count { try outbox.enqueue(NewMessage(to: destination, key: "k\(number)", text: "secret")) }
        let log = LogLines(from: .trace)
        let relay = Relay(
            store: outbox, routes: [destination: handler], logger: log.logger)
        let dead = Atomic(0)
        try await RelayUnderTest.run(relay) { event in
            guard case .deadLettered = event else { return nil }
            return dead.add(1, ordering: .relaxed).newValue == count ? .gracefully : nil
        }
        return log
    }

    @Test func deadLettersAreWrittenAndManyAreCounted() async throws {
        let log = try await self.run(
            3000, to: "d", .handler(breaker: .off) { _ in throw DeliveryFailure.reject("no\u{1B}[2J such\naddress") })
        let lines = log.lines("dead letter")
        #expect(lines.allSatisfy { $0.level == .error && $0.value("outbox.destination") == "d" })
        #expect(lines.allSatisfy { $0.value("outbox.error") == "no [2J such address" })
        let single = lines.filter { $0.metadata["outbox.id"] != nil }
        #expect(single.count == 5 && single.allSatisfy { $0.value("outbox.reason") == "rejected" })
        #expect(single.allSatisfy { $0.value("outbox.attempts") == "1" })
        let counted = lines.compactMap { Int($0.value("outbox.count")) }
        #expect(single.count + counted.reduce(0, +) == 3000)
        #expect(counted.count < 20, "however long it took")
        #expect(log.details("dead letter") == 2995)
        #expect(!lines.contains { "\($0.metadata)".contains("secret") })
    }

    @Test func retriesAreWrittenOnceAndCounted() async throws {
        let log = try await self.run(
            200, to: "d", .handler(retry: .constant(.zero, maximumAttempts: 4), breaker: .off) { _ in throw Refused() })
        let lines = log.lines("tried again") + log.lines("are repeated")
        #expect(lines.allSatisfy { $0.level == .warning && $0.value("outbox.error") == "no [2J such address" })
        #expect(lines.first?.value("outbox.attempts") == "1" && lines.first?.metadata["outbox.id"] != nil)
        let counted = lines.compactMap { Int($0.value("outbox.count")) }
        #expect(1 + counted.reduce(0, +) == 600)
        #expect(log.details("tried again") == 599)
    }

    /// That a transport cannot connect is said before there is a message, and once: by the relay, unless the transport does.
    @Test(arguments: [false, true]) func anIdleRelayTellsThatATransportHasNoContact(logsItself: Bool) async throws {
        final class Locked: Transport {
            let closes = Latch()
            let logsItsContact: Bool
            var description: String { "locked" }
            var health: TransportHealth { .down("password refused") }
            init(logsItsContact: Bool) { self.logsItsContact = logsItsContact }
            func run() async throws { await self.closes.wait() }
            func close() async { self.closes.open() }
            func contact() async -> TransportHealth { self.health }
            func deliver(_ batch: MessageBatch) async throws -> [Outcome] { batch.map { _ in .unavailable("no") } }
        }
        let log = LogLines(from: .trace)
        let relay = Relay(
            store: InMemoryOutbox(), routes: ["d": .transport(Locked(logsItsContact: logsItself))],
            logger: log.logger)
        async let end: Void = relay.run()
        while log.details("no contact") == 0 && log.lines("no contact").isEmpty { await Task.yield() }
        relay.stop()
        try await end
        let lines = log.lines("no contact")
        if logsItself {
            #expect(log.details("no contact") == 1 && lines.isEmpty)
        } else {
            #expect(
                lines.count == 1 && lines[0].level == .warning && lines[0].value("outbox.error") == "password refused")
        }
    }
}

extension LogLines {
    /// What was written at the usual level or above, of messages.
    fileprivate func lines(_ text: String) -> [Line] {
        self.lines.filter { $0.level >= .info && $0.text.contains(text) }
    }

    /// What was written at debug.
    fileprivate func details(_ text: String) -> Int {
        self.lines.count { $0.level == .debug && $0.text.contains(text) }
    }
}
