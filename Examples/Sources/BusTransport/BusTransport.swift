import Outbox

/// Publishes to a bus, with a client that keeps the connection.
final class BusTransport: Transport {
    private let client: BusClient
    private let closing = AsyncStream<Never>.makeStream()

    init(_ client: BusClient) { self.client = client }

    var description: String { "bus" }
    var health: TransportHealth { client.isConnected ? .up : .down("not connected") }
    func run() async throws { for await _ in closing.stream {} }
    func close() async {
        client.close()
        closing.continuation.finish()
    }

    func deliver(_ batch: MessageBatch) async throws -> [Outcome] {
        var schedule = BatchSchedule(batch)
        while let index = schedule.next() {
            try Task.checkCancellation()
            schedule.settle(index, publish(batch[index]))
        }
        return schedule.outcomes
    }
}

extension BusTransport {
    private func publish(_ message: Message) -> Outcome {
        do {
            try client.publish(message.payload, to: message.route, key: message.key, headers: message.headers)
            return .delivered
        } catch {
            switch error {
            case .notConnected: return .unavailable("not connected")
            case .refused: return .retry("refused")
            case .tooLong: return .reject("too long")
            }
        }
    }
}
