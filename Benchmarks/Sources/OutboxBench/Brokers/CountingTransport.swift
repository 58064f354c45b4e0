import Outbox

/// A transport that tells of each message that another one has delivered.
final class CountingTransport: Transport {
    private let transport: any Transport
    private let delivered: @Sendable (Message) -> Void

    init(_ transport: any Transport, _ delivered: @escaping @Sendable (Message) -> Void) {
        self.transport = transport
        self.delivered = delivered
    }

    var description: String { self.transport.description }
    var health: TransportHealth { self.transport.health }

    func run() async throws { try await self.transport.run() }
    func close() async { await self.transport.close() }

    func deliver(_ batch: MessageBatch) async throws -> [Outcome] {
        let outcomes = try await self.transport.deliver(batch)
        for (message, outcome) in zip(batch, outcomes) where outcome == .delivered { self.delivered(message) }
        return outcomes
    }
}
