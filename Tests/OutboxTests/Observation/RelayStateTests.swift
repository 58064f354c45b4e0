import Foundation
import Logging
import OutboxTesting
import Synchronization
import TestSupport
import Testing

@testable import Outbox

/// What a relay says that it is doing.
@Suite(.timeLimit(.minutes(2))) struct RelayStateTests {
    /// An event tells of what is so already: a listener that looks finds it.
    @Test func aRelaySaysWhatItsEventsHaveTold() async throws {
        let outbox = InMemoryOutbox()
        let isUp = Atomic(false)
        let routes: RelayRoutes = [
            "d": .handler(breaker: .opening(initialDelay: .milliseconds(1), maximumDelay: .milliseconds(1))) { _ in
                if !isUp.load(ordering: .relaxed) { throw DeliveryFailure.unavailable("no way\nthere") }
            }
        ]
        let relay = Relay(store: outbox, routes: routes)
        #expect(relay.state.phase == .starting && !relay.state.isReady)
        try outbox.enqueue(NewMessage(to: "d", text: "x"))
        let events = relay.events
        async let ending: Void = relay.run()
        var seen: [String] = []
        loop: for await event in events {
            let state = relay.state
            switch event {
            case .started:
                seen.append("started")
                #expect(state.phase == .delivering && state.isReady)
            case .opened:
                seen.append("opened")
                // A reason is a line.
                #expect(state.down["d"]?.reason.contains("no way") == true)
                #expect(state.down["d"]?.reason.contains("\n") == false)
                #expect(state.isReady)
                isUp.store(true, ordering: .relaxed)
            case .closed:
                seen.append("closed")
                #expect(state.down.isEmpty)
                break loop
            default: break
            }
        }
        #expect(seen == ["started", "opened", "closed"])
        relay.stop()
        try await ending
        #expect(relay.state.phase == .ended && relay.state.down.isEmpty && !relay.state.isReady)
    }

    @Test func aRelayThatFailsHasEnded() async {
        let relay = Relay(store: InMemoryOutbox(), routes: [:])
        await #expect(throws: RelayError.self) { try await relay.run() }
        // It has not even begun.
        #expect(relay.state.phase == .starting)
    }

    /// A destination can have several streams, each of which finds out by itself, and any of which can go to another relay.
    @Test func aDestinationIsDownAsLongAsOneOfItsStreamsIs() {
        let hub = RelayEventHub()
        let logger = LogLines(from: .critical).logger
        func observer() -> DeliveryObserver {
            DeliveryObserver(destination: "d", subscription: "main", events: hub, logger: logger)
        }
        let first = observer()
        var second: DeliveryObserver? = observer()
        first.opened(reason: "one", retryAfter: .zero)
        let since = hub.relayState.down["d"]?.since
        second?.opened(reason: "two", retryAfter: .zero)
        #expect(hub.relayState.down["d"] == since.map { RelayState.Outage(reason: "one", since: $0) })
        first.stillDown(reason: "three", retryAfter: .zero)
        #expect(hub.relayState.down["d"] == since.map { RelayState.Outage(reason: "three", since: $0) })
        first.closed()
        #expect(hub.relayState.down["d"]?.reason == "two")
        second = nil
        #expect(hub.relayState.down.isEmpty)
    }

    @Test func anOutageOfTheStoreIsSinceItsBeginning() {
        var standing = RelayStanding()
        let start = Date(timeIntervalSince1970: 1000)
        standing.take(.started, at: start)
        standing.take(.disconnected(reason: "one", retryAfter: .zero), at: start + 1)
        standing.take(.disconnected(reason: "two", retryAfter: .zero), at: start + 2)
        #expect(standing.phase == .disconnected(reason: "two", since: start + 1))
        #expect(standing.state.since == start + 1)
        standing.take(.standby, at: start + 3)
        standing.take(.disconnected(reason: "three", retryAfter: .zero), at: start + 4)
        #expect(standing.phase == .disconnected(reason: "three", since: start + 4))
        standing.take(.started, at: start + 5)
        // What is so already begins no second time.
        standing.take(.started, at: start + 6)
        #expect(standing.state.since == start + 5)
    }

    /// A gauge has one series for all streams of a destination.
    @Test func theStreamsOfADestinationAddUp() {
        let hub = RelayEventHub()
        let logger = LogLines(from: .critical).logger
        let first = DeliveryObserver(destination: "d", subscription: "main", events: hub, logger: logger)
        var second: DeliveryObserver? = DeliveryObserver(
            destination: "d", subscription: "main", events: hub, logger: logger)
        #expect(hub.streamCount == 2)
        first.inFlight(3)
        second?.inFlight(4)
        hub.total(of: "d").add(inFlight: 0) { #expect($0 == 7) }
        first.inFlight(1)
        hub.total(of: "d").add(inFlight: 0) { #expect($0 == 5) }
        // One that another relay has takes what it has with it.
        second = nil
        hub.total(of: "d").add(inFlight: 0) { #expect($0 == 1) }
        #expect(hub.streamCount == 1)
        withExtendedLifetime(first) {}
    }
}
