import Outbox
import OutboxTesting
import Testing

@testable import BusTransport

@Suite(.timeLimit(.minutes(10))) struct BusTransportTests {
    /// What every transport has to do.
    @Test(arguments: TransportConformance.checks)
    func conforms(_ check: TransportConformance.Check) async throws {
        try await check.run(BusFixture())
    }

    /// From an outbox to the bus.
    @Test func deliversWhatIsEnqueued() async throws {
        let bus = Bus()
        let outbox = InMemoryOutbox()
        for number in 1...100 { try outbox.enqueue(NewMessage(to: .bus, key: "k\(number % 10)", text: "\(number)")) }
        let result = try await outbox.drain(routes: [.bus: .transport(BusTransport(BusClient(bus)))])
        #expect(result.delivered.count == 100)
        #expect(bus.records.count == 100)
    }
}

extension Destination {
    static let bus: Destination = "bus"
}

/// The bus as the other side of a transport.
final class BusFixture: TransportFixture {
    private let bus = Bus()

    var oversizedPayload: [UInt8]? { Array(repeating: 0, count: bus.longest + 1) }

    func makeTransport() -> any Transport { BusTransport(BusClient(bus)) }

    func received() -> [ReceivedMessage] {
        bus.records.map { ReceivedMessage(payload: $0.payload, key: $0.key ?? "", headers: $0.headers) }
    }

    func refused(_ message: NewMessage) -> NewMessage {
        var message = message
        message.route = "forbidden"
        return message
    }

    func cutConnections() { bus.cutConnections() }
    func stop() { bus.isRunning = false }
    func start() { bus.isRunning = true }
}
