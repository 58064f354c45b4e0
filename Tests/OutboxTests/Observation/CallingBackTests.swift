import Logging
import Outbox
import OutboxTesting
import Synchronization
import TestSupport
import Testing

/// A relay calls a log and tells listeners while it holds nothing that they may want: what they ask of it is answered.
@Suite(.timeLimit(.minutes(2))) struct CallingBackTests {
    /// Messages are delivered, tried again, parked and dead, their destination goes down and comes back, and each line of the log subscribes,
    /// enqueues and looks into the store.
    @Test func aLogMayAskTheRelayAndItsStore() async throws {
        let clock = ManualClock()
        let outbox = InMemoryOutbox(clock: clock)
        let log = LogLines(from: .trace)
        let isUp = Atomic(false)
        let routes: RelayRoutes = [
            "d": .handler(breaker: .opening(initialDelay: .milliseconds(1), maximumDelay: .milliseconds(1))) {
                message in
                switch String(decoding: message.payload, as: UTF8.self) {
                case "reject": throw DeliveryFailure.reject("no")
                case "retry" where message.attempt == 1: throw DeliveryFailure.retry(after: .zero, "later")
                default: if !isUp.load(ordering: .relaxed) { throw DeliveryFailure.unavailable("down") }
                }
            }
        ]
        let relay = Relay(store: outbox, routes: routes, logger: log.logger)
        // There are more lines than that.
        let left = Atomic(4)
        log.onLine { _ in
            _ = relay.events
            _ = outbox.deadLetters()
            if left.subtract(1, ordering: .relaxed).newValue < 0 { return }
            _ = try? outbox.enqueue(NewMessage(to: "d", text: "again"))
        }
        for text in ["reject", "retry", "one", "two"] { try outbox.enqueue(NewMessage(to: "d", key: text, text: text)) }
        let events = relay.events
        async let ending: Void = relay.run()
        var changes: [String] = []
        var delivered = 0
        loop: for await event in events {
            switch event {
            case .opened: changes.append("opened"); isUp.store(true, ordering: .relaxed)
            case .closed: changes.append("closed")
            case .delivered: delivered += 1
            default: break
            }
            if delivered == 7 { break loop }
        }
        relay.stop()
        try await ending
        #expect(!log.lines.isEmpty)
        #expect(changes == ["opened", "closed"])
    }
}
