import OutboxTesting
import Testing

@testable import Outbox

@Suite(.timeLimit(.minutes(2))) struct LentBatchTests {
    private struct Parts: Equatable {
        var id: Int64
        var payload: [UInt8]
        var key: [UInt8]?
        var hasRoute: Bool
        var hasHeaders: Bool

        init(_ message: Message) {
            self.id = message.id
            self.payload = message.payload
            self.key = message.key.map { Array($0.utf8) }
            self.hasRoute = message.route != nil
            self.hasHeaders = !message.headers.isEmpty
        }

        init(_ message: LentMessage) {
            self.id = message.id
            unsafe self.payload = Array(message.payload)
            self.key = unsafe message.key.map { unsafe Array($0) }
            self.hasRoute = message.hasRoute
            self.hasHeaders = message.hasHeaders
        }
    }

    private func messages(_ count: Int) -> [NewMessage] {
        let keys: [String?] = [nil, "", "kéy 1", "kéy 2", "key 3"]
        return (0..<count).map { number in
            let payload = [UInt8](repeating: UInt8(number), count: number % 11)
            let headers = number % 4 == 0 ? ["h": "v"] : [:]
            return NewMessage(
                to: "orders", route: number % 2 == 0 ? "r" : nil, key: keys[number % keys.count], headers: headers,
                payload: payload)
        }
    }

    /// Messages of several pages, in any order.
    @Test func theyAreThoseOfTheBatch() {
        let pages = (0..<3).map { _ in MessageBatch(self.messages(20)) }
        for _ in 0..<50 {
            let batch = MessageBatch(Array(pages.joined().shuffled().prefix(.random(in: 1...40))))
            let lent = LentBatch(batch)
            let parts = unsafe lent.withMessages { messages in unsafe messages.map { Parts($0) } }
            #expect(parts == batch.map { Parts($0) })
        }
    }

    @Test func equalKeysHaveEqualHashes() {
        let batch = MessageBatch(self.messages(60))
        let lent = LentBatch(batch)
        for one in batch.indices {
            #expect((lent.orderingKey(at: one) == nil) == (batch[one].key == nil))
            for other in batch.indices where batch[one].key != nil && batch[other].key != nil {
                #expect(
                    (lent.orderingKey(at: one) == lent.orderingKey(at: other)) == (batch[one].key == batch[other].key))
            }
        }
        let unordered = LentBatch(MessageBatch(batch.messages, isOrderedByKey: false))
        #expect(batch.indices.allSatisfy { unordered.orderingKey(at: $0) == nil })
    }
}
