import Outbox
import Synchronization
import TestSupport
import Testing

@testable import OutboxPostgres

/// Handlers that throw what nobody expects, or do not end when they are asked to.
@Suite(.schema, .timeLimit(.minutes(5))) struct HandlerFaultTests {
    /// An error that describes itself as it likes.
    private struct Odd: Error, CustomStringConvertible {
        let description: String
    }

    static let errors: [any Error & Sendable] = [
        CancellationError(),
        Odd(description: ""),
        Odd(description: "a\0b"),
        Odd(description: "\u{FFFF}\u{10FFFF}{}[]\"\\,NULL"),
        Odd(description: String(repeating: "long ", count: 1_000_000)),
        RelayError(.connection, "a relay of the handler's own has lost its session"),
        LibPQError(.connectionLost, "a connection of the handler's own is lost"),
        DeliveryFailure.retry(after: .seconds(-1), "before it was tried"),
        DeliveryFailure.retry(after: .nanoseconds(1), ""),
    ]

    /// Whatever it is, it is a failed attempt at that message and says nothing of the relay or its task.
    @Test(arguments: errors.indices) func anErrorIsAFailedAttempt(index: Int) async throws {
        let bench = try await RelayBench.make()
        let deliveries = Deliveries()
        let attempts = Atomic(0)
        let relay = bench.relay([
            "d": .handler(retry: .constant(.zero, maximumAttempts: 3)) { message in
                if message.key == "bad" {
                    attempts.add(1, ordering: .relaxed)
                    throw Self.errors[index]
                }
                deliveries.add(message)
            }
        ])
        let events = relay.events(bufferingNewest: 10_000)
        let sessions = Task {
            await events.reduce(0) { if case .disconnected = $1 { $0 + 1 } else { $0 } }
        }
        try await bench.run(relay) {
            try await bench.sql("SELECT $outbox.enqueue('d', 'x', key => 'bad')")
            try await bench.sql("SELECT $outbox.enqueue('d', 'y', key => 'good')")
            try await eventually("it is dead, and the other is delivered") {
                try await bench.deadCount() == 1 && deliveries.texts == ["y"]
            }
            try await eventually("all is stored") { try await bench.deferredCount() + bench.pendingCount() == 0 }
        }
        #expect(attempts.load(ordering: .relaxed) == 3)
        #expect(await sessions.value == 0)
        #expect(
            try await bench.count(
                "SELECT count(*) FROM $outbox.dead_letter WHERE reason = 'exhausted' AND attempts = 3")
                == 1)
    }

    /// Its session is gone, another relay has delivered the message, and the handler is still at work: nothing of what comes of it
    /// counts, and its own relay waits for it and then goes on.
    @Test func aHandlerThatIgnoresItsCancellation() async throws {
        let bench = try await RelayBench.make()
        let gate = Gate()
        let second = Deliveries()
        let third = Deliveries()
        var settings = RelayBench.quick
        settings.shutdown.deadline = .milliseconds(20)
        let first = bench.relay(
            [
                "d": .handler(parking: .never) { message in
                    if message.attempt == 1, message.key == "slow" { await gate.enter() }
                    third.add(message)
                }
            ], settings: settings)
        let events = first.events
        try await bench.run(first) {
            try await bench.sql("SELECT $outbox.enqueue('d', '1', key => 'slow')")
            await gate.waitUntilEntered()
            try await bench.terminateOwner()
            let other = bench.relay(["d": .handler { second.add($0) }])
            try await bench.run(other) {
                try await eventually("another relay delivers it") { second.texts == ["1"] }
                try await bench.sql("SELECT $outbox.enqueue('d', '2', key => 'slow')")
                try await eventually("and what follows") { second.texts == ["1", "2"] }
                try await eventually("and stores it") { try await bench.pendingCount() == 0 }
            }
            #expect(third.count == 0, "the handler has it still")
            await gate.open()
            for await event in events {
                if case .disconnected = event { break }
            }
            try await bench.sql("SELECT $outbox.enqueue('d', '3', key => 'slow')")
            try await eventually("its own relay goes on") { third.texts == ["1", "3"] }
            try await eventually("and stores it") { try await bench.pendingCount() == 0 }
        }
        #expect(try await bench.deadCount() + bench.deferredCount() == 0)
    }
}
