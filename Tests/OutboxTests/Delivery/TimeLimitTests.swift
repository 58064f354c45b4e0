import Synchronization
import TestSupport
import Testing

@testable import Outbox
@testable import OutboxTesting

/// A closure that takes longer than it may.
@Suite(.timeLimit(.minutes(5))) struct TimeLimitTests {
    private struct Own: Error {}

    /// What never ends by itself.
    private static func hang() async throws { try await Task.sleep(for: .seconds(86_400)) }

    @Test func whatEndsInTimeIsAsItWas() async throws {
        #expect(try await TimeLimit.run(.seconds(86_400)) { 7 } == 7)
        await #expect(throws: Own.self) { try await TimeLimit.run(.seconds(86_400)) { throw Own() } }
    }

    @Test func whatTakesLongerIsCancelled() async throws {
        let error = await #expect(throws: TimeLimitExceeded.self) {
            try await TimeLimit.run(.milliseconds(5)) { try await Self.hang() }
        }
        #expect(error?.description == "the handler was cancelled: it took longer than 5ms")
        // What it says of the message itself counts.
        await #expect(throws: DeliveryFailure.reject("half of it is done")) {
            try await TimeLimit.run(.milliseconds(5)) {
                try? await Self.hang()
                throw DeliveryFailure.reject("half of it is done")
            }
        }
    }

    @Test func whatIsDoneInSpiteOfItIsDone() async throws {
        let result = try await TimeLimit.run(.milliseconds(5)) {
            try? await Self.hang()
            return 7
        }
        #expect(result == 7)
    }

    /// The relay's end is no failure of the handler's.
    @Test func aCallerThatIsCancelledIsNotLate() async throws {
        let call = Task { try await TimeLimit.run(.seconds(86_400)) { try await Self.hang() } }
        call.cancel()
        await #expect(throws: CancellationError.self) { try await call.value }
    }

    /// Of messages one at a time and of batches, also inside of routes: tried again, and dead in the end with the reason.
    @Test func aMessageWhoseHandlerHangsIsTriedAgain() async throws {
        let outbox = InMemoryOutbox()
        let calls = Mutex(0)
        let retry = CustomRetryStrategy.custom(maximumAttempts: 3) { .milliseconds($0.number) }
        let hang: @Sendable (Message) async throws -> Void = { message in
            calls.withLock { $0 += 1 }
            if message.text == "hangs" { try await Self.hang() }
        }
        let routes: RelayRoutes = [
            "one": .handler(retry: retry, timeout: .milliseconds(10), hang),
            "many": .batch(maximumCount: 1, retry: retry, timeout: .milliseconds(10)) { messages in
                for message in messages { try await hang(message) }
                return messages.map { _ in .delivered }
            },
            "routes": .routes(
                ["r": .handler(timeout: .milliseconds(10), hang)], settings: DeliverySettings(retry: retry)),
        ]
        for destination in ["one", "many", "routes"] {
            try outbox.enqueue(NewMessage(to: Destination(destination), route: "r", text: "well"))
            try outbox.enqueue(NewMessage(to: Destination(destination), route: "r", text: "hangs"))
        }
        let relay = Relay(store: outbox, routes: routes)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await relay.run() }
            try await eventually("they are dead") { outbox.deadLetters().count == 3 }
            relay.stop()
            try await group.waitForAll()
        }
        #expect(
            outbox.deadLetters().allSatisfy {
                $0.attempts == 3 && $0.error?.contains("it took longer than 10ms") == true
            })
        #expect(calls.withLock { $0 } == 12)
    }
}
