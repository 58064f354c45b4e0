import Outbox
import OutboxWebhook

/// Messages whose payloads are numbers, delivered through whatever goes wrong on the way, to hosts that their headers name. What it took
/// is written to standard output.
struct NumberedMessages {
    let count: Int
    let keys: Int
    let lanes: Int
    let batch: Int

    init(_ numbers: [Int]) {
        guard numbers.count == 4 else { fatalError("COUNT KEYS LANES BATCH") }
        (self.count, self.keys, self.lanes, self.batch) = (numbers[0], numbers[1], numbers[2], numbers[3])
    }

    func deliver(to transport: WebhookTransport) async throws {
        let messages = (0..<self.count).map { number in
            let key = number % self.keys
            return NewMessage(
                to: "wire", key: "k\(key)", headers: ["host": "127.0.0.\(1 + key % 3)"], text: "{\"number\": \(number)}"
            )
        }
        var relay = WireRelay(messages: messages)
        relay.settings = DeliverySettings(
            retry: .exponential(maximumAttempts: 1000, initialDelay: .milliseconds(1), maximumDelay: .milliseconds(20)),
            concurrency: self.lanes, breaker: .opening(initialDelay: .milliseconds(1), maximumDelay: .milliseconds(20)),
            maximumCount: self.batch)
        var (delivered, retried, opened) = (0, 0, 0)
        try await relay.deliver(to: transport) { event in
            switch event {
            case .delivered: delivered += 1
            case .retried: retried += 1
            case .opened: opened += 1
            case .deadLettered: fatalError("\(event)")
            default: break
            }
            return delivered == self.count
        }
        print("\(retried) tried again, \(opened) times out of reach")
    }
}
