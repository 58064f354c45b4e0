import Outbox
import OutboxTesting
import Testing

@testable import RedisStreams

@Suite(.timeLimit(.minutes(10))) struct RedisTransportTests {
    /// What every transport has to do.
    @Test(arguments: TransportConformance.checks)
    func conforms(_ check: TransportConformance.Check) async throws {
        try await RedisServer.with { server in try await check.run(server) }
    }

    /// From an outbox, through a relay, to entries of a stream.
    @Test func deliversWhatIsEnqueued() async throws {
        try await RedisServer.with { server in
            let outbox = InMemoryOutbox()
            for number in 1...1000 {
                try outbox.enqueue(
                    NewMessage(to: "redis", route: "orders", key: "k\(number % 10)", text: "\(number)"))
            }
            let relay = Relay(store: outbox, routes: ["redis": .transport(server.makeTransport())])
            let events = relay.events
            async let running: Void = relay.run()
            var delivered = 0
            for await event in events {
                if case .delivered = event { delivered += 1 }
                if delivered == 1000 { relay.stop() }
            }
            try await running
            let received = try await server.received().map { String(decoding: $0.payload, as: UTF8.self) }
            #expect(received.count == 1000)
            #expect(Set(received) == Set((1...1000).map(String.init)))
        }
    }
}
