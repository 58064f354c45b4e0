import KafkaTesting
import Outbox
import OutboxKafka
import OutboxTesting
import Testing

@Suite(.timeLimit(.minutes(10))) struct ConformanceTests {
    private struct Fixture: TransportFixture {
        let cluster = MockKafkaCluster()

        init() { self.cluster.create("orders") }

        func makeTransport() throws -> any Transport { try TransportUnderTest.make(self.cluster.bootstrapServers) }

        func received() async -> [ReceivedMessage] {
            await self.cluster.records(of: "orders").map { record in
                ReceivedMessage(
                    payload: record.value ?? [], key: record.key.map { String(decoding: $0, as: UTF8.self) },
                    headers: Dictionary(
                        uniqueKeysWithValues: record.headers.map { header in
                            (header.name, String(decoding: header.value ?? [], as: UTF8.self))
                        }))
            }
        }

        func refused(_ message: NewMessage) -> NewMessage {
            var message = message
            message.headers["kafka-partition"] = "99"
            return message
        }

        var oversizedPayload: [UInt8]? { Array(repeating: 7, count: 1_000_001) }

        func cutConnections() { #expect(self.cluster.cutConnections() > 0) }

        func stop() { self.cluster.setAll(up: false) }
        func start() { self.cluster.setAll(up: true) }
    }

    @Test(arguments: TransportConformance.checks)
    func conforms(_ check: TransportConformance.Check) async throws {
        try await check.run(Fixture())
    }
}
