import Outbox
import OutboxPubSub
import OutboxTesting
import Testing

@Suite(.timeLimit(.minutes(10))) struct ConformanceTests {
    private struct Fixture: TransportFixture {
        let server: PubSubServer

        init() async throws { self.server = try await PubSubServer() }

        /// With TLS, as the service has it.
        func makeTransport() throws -> any Transport { try TransportUnderTest.secure(self.server, .none) }

        func received() async throws -> [ReceivedMessage] {
            try await self.server.records().map { record in
                ReceivedMessage(
                    payload: record.payload, key: record.ordering_key.isEmpty ? nil : record.ordering_key,
                    headers: record.attributes ?? [:])
            }
        }

        func refused(_ message: NewMessage) -> NewMessage {
            var message = message
            message.headers["googclient_anything"] = "1"
            return message
        }

        var oversizedPayload: [UInt8]? { Array(repeating: 7, count: 10_000_001) }

        func cutConnections() async throws { _ = try await self.server.send("cut", as: Int.self) }
        func stop() async throws { try await self.server.send("stop") }
        func start() async throws { try await self.server.send("start") }
    }

    @Test(arguments: TransportConformance.checks)
    func conforms(_ check: TransportConformance.Check) async throws {
        try await check.run(await Fixture())
    }
}
