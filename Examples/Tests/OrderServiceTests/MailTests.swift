import Outbox
import OutboxTesting
import Testing

@testable import OrderService

struct MailServerIsBusy: Error {}

@Suite(.timeLimit(.minutes(10))) struct MailTests {
    @Test func aMailIsSentAgain() async throws {
        let outbox = InMemoryOutbox()
        try outbox.enqueue(NewMessage(to: .mail, route: "thanks", key: "42", text: "Thank you, Ada"))

        let thanks = try outbox.enqueued(for: .mail, route: "thanks").only()
        #expect(thanks.text == "Thank you, Ada")
        #expect(thanks.message.key == "42")

        let result = try await outbox.drain(routes: [
            .mail: .handler(retry: .constant(.seconds(60))) { message in
                if message.attempt == 1 { throw MailServerIsBusy() }
            }
        ])
        #expect(result.delivered.map(\.attempts) == [2])
        #expect(result.dead.isEmpty && result.waiting.isEmpty)
    }

    @Test(.timeLimit(.minutes(1)))
    func aMailThatFailsIsSentAMinuteLater() async throws {
        let clock = ManualClock()
        let outbox = InMemoryOutbox(clock: clock)
        try outbox.enqueue(NewMessage(to: .mail, text: "Thank you"))

        let relay = Relay(
            store: outbox,
            routes: [
                .mail: .handler(retry: .constant(.seconds(60))) { message in
                    if message.attempt == 1 { throw MailServerIsBusy() }
                }
            ])
        let events = relay.events
        async let running: Void = relay.run()
        for await event in events {
            switch event {
            case .retried(_, _, let attempts, _, _):
                #expect(attempts == 1)
                clock.advance(by: .seconds(60))
            case .delivered(_, _, let attempt):
                #expect(attempt == 2)
                relay.stop()
            default: break
            }
        }
        try await running

        #expect(outbox.pending().isEmpty && outbox.deferred().isEmpty && outbox.deadLetters().isEmpty)
    }
}
