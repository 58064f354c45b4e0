import OutboxRuntime
import OutboxTesting
import Synchronization
import Testing

@testable import Outbox

/// Batches are within what a transport says that they may have.
@Suite(.timeLimit(.minutes(5))) struct BatchLimitTests {
    /// A transport that keeps the batches that it was given.
    private final class Recording: Transport {
        let batchLimit: BatchLimit
        let batches = Mutex<[MessageBatch]>([])
        private let closes = Latch()

        init(_ limit: BatchLimit) { self.batchLimit = limit }

        var description: String { "recording" }
        var health: TransportHealth { self.closes.isOpen ? .closed : .up }
        func run() async throws { await self.closes.wait() }
        func close() async { self.closes.open() }

        func deliver(_ batch: MessageBatch) async throws -> [Outcome] {
            self.batches.withLock { $0.append(batch) }
            return batch.map { _ in .delivered }
        }
    }

    private func message(_ number: Int, _ random: inout SeededGenerator) -> NewMessage {
        let headers = Dictionary(
            uniqueKeysWithValues: (0..<Int.random(in: 0...3, using: &random)).map { ("name \($0)", "ä\"\n\(number)") })
        return NewMessage(
            to: "d", route: Bool.random(using: &random) ? "r\(number)" : nil, key: number % 3 == 0 ? nil : "k\(number % 11)",
            headers: headers,
            payload: Array(repeating: 7, count: [0, 1, 10, 90, 400, 2000].randomElement(using: &random)!))
    }

    @Test(arguments: UInt64(1)...20) func noBatchHasMoreThanItMayHave(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let outbox = InMemoryOutbox()
        let count = 600
        let ids = try outbox.enqueue((0..<count).map { self.message($0, &random) })
        let limit = BatchLimit(
            messages: Bool.random(using: &random) ? Int.random(in: 1...20, using: &random) : nil,
            bytes: Int.random(in: 1...3000, using: &random), bytesPerMessage: Int.random(in: 0...100, using: &random))
        let transport = Recording(limit)
        let seen = Atomic(0)
        let relay = RelayUnderTest.make(
            outbox, ["d": .transport(transport, settings: DeliverySettings(concurrency: 3, maximumCount: 50))])
        try await RelayUnderTest.run(relay) { event in
            guard case .delivered = event else { return nil }
            return seen.add(1, ordering: .relaxed).newValue == count ? .gracefully : nil
        }
        let batches = transport.batches.withLock { $0 }
        #expect(batches.flatMap { $0.map(\.id) }.sorted() == ids, "seed \(seed)")
        for batch in batches {
            let bytes = batch.reduce(0) { $0 + limit.size(of: $1) }
            #expect(batch.count == 1 || bytes <= limit.bytes!, "\(batch.count) messages of \(bytes), \(limit), seed \(seed)")
            #expect(batch.count <= min(limit.messages ?? 50, 50), "seed \(seed)")
        }
        let keys = Dictionary(grouping: batches.flatMap { $0.filter { $0.key != nil } }, by: \.key)
        #expect(keys.values.allSatisfy { $0.map(\.id) == $0.map(\.id).sorted() }, "seed \(seed)")
    }

    /// Each batch has all that there is room for.
    @Test func aBatchIsFilled() async throws {
        let outbox = InMemoryOutbox()
        let count = 100
        for number in 0..<count { try outbox.enqueue(NewMessage(to: "d", payload: Array(repeating: 7, count: number == 50 ? 500 : 10))) }
        let transport = Recording(BatchLimit(bytes: 100))
        let seen = Atomic(0)
        let relay = RelayUnderTest.make(
            outbox, ["d": .transport(transport, settings: DeliverySettings(concurrency: 1))]
        ) { settings in
            settings.page.messages = 200
            settings.window.messages = 400
        }
        try await RelayUnderTest.run(relay) { event in
            guard case .delivered = event else { return nil }
            return seen.add(1, ordering: .relaxed).newValue == count ? .gracefully : nil
        }
        #expect(transport.batches.withLock { $0.map(\.count) } == Array(repeating: 10, count: 5) + [1] + Array(repeating: 10, count: 4) + [9])
    }

    @Test func whatCounts() {
        let message = MessageBatch([
            NewMessage(to: "destination", route: "ä", key: "key", headers: ["n": "v\""], payload: [1, 2, 3, 4])
        ])[0]
        // {"n":"v\""}, with a space in some stores.
        let headers = message.headersJSON?.utf8.count ?? 0
        #expect((11...12).contains(headers))
        #expect(BatchLimit.none.size(of: message) == 4 + 3 + 2 + headers)
        #expect(BatchLimit(bytesPerMessage: 7).size(of: message) == 16 + headers)
        let least = BatchLimit(messages: 0, bytes: -1, bytesPerMessage: -1)
        #expect(least == BatchLimit(messages: 1, bytes: 1, bytesPerMessage: 0))
    }
}
