import Outbox
import OutboxTesting
import Testing

@testable import OutboxAWS

/// What a FIFO queue adds, and a queue's limits.
@Suite(.serialized, .timeLimit(.minutes(10))) struct FIFOTests {
    @Test func whatComesAgainWithinFiveMinutesIsStoredOnce() async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.makeQueue("orders.fifo")
        try await running(try testbed.queue("orders.fifo")) { transport async throws in
            let batch = MessageBatch((0..<30).map { .text("\($0)", key: "ключ \($0 % 3)") })
            #expect(try await transport.deliver(batch).areDelivered)
            #expect(try await transport.deliver(batch).areDelivered, "the relay cannot know that it has been delivered")
        }
        let arrived = try await testbed.drain("orders.fifo")
        #expect(arrived.count == 30)
        for key in 0..<3 {
            let ofKey = arrived.filter { $0.group == SQSEntry.identifier("ключ \(key)") }.map(\.text)
            #expect(ofKey == (0..<10).map { "\($0 * 3 + key)" }, "in order")
        }
    }

    @Test func aFullRequestHasOneMebibyte() async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.makeQueue("orders.fifo")
        try await running(try testbed.queue("orders.fifo")) { transport async throws in
            let texts = (0..<12).map { "\($0)" + String(repeating: "x", count: 300_000) }
            let messages = texts.map { NewMessage.text($0) } + [.text(String(repeating: "y", count: 1_048_000))]
            #expect(try await transport.deliver(MessageBatch(messages)).areDelivered)
            let requests = try await testbed.requests().filter { $0.operation == "SendMessageBatch" }
            #expect(requests.map(\.count).sorted() == [1, 3, 3, 3, 3])
        }
        #expect(try await testbed.drain("orders.fifo").count == 13)
    }

    @Test func aQueueThatTakesLessRejectsTheMessageAlone() async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.makeQueue("orders.fifo", ["MaximumMessageSize": "2048"])
        try await running(try testbed.queue("orders.fifo")) { transport async throws in
            let messages = ["a", String(repeating: "x", count: 3000), "b"].map { NewMessage.text($0, key: "k") }
            let outcomes = try await transport.deliver(MessageBatch(messages))
            #expect(outcomes[0] == .delivered && outcomes[1].isRejection && outcomes[2] == .delivered)
            #expect(outcomes[1].reason?.contains("2048") == true)
        }
    }

    /// In one request SQS could refuse the first and store the second.
    @Test func aFIFOQueueOfATemplateIsNotPipelined() async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.makeQueue("orders.fifo")
        let pipelined = try testbed.queue("{route}") { $0.keyOrder = .pipelined }
        try await running(pipelined) { transport async throws in
            let batch = MessageBatch((0..<5).map { .text("\($0)", key: "k", route: "orders.fifo") })
            #expect(try await transport.deliver(batch).areDelivered)
            let requests = try await testbed.requests().filter { $0.operation == "SendMessageBatch" }
            #expect(requests.map(\.count) == [1, 1, 1, 1, 1])
        }
        #expect(try await testbed.drain("orders.fifo").map(\.text) == (0..<5).map(String.init))
    }

    @Test func aDelayHidesAMessage() async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.makeQueue("orders")
        try await running(try testbed.queue("orders")) { transport async throws in
            #expect(
                try await transport.deliver(MessageBatch([.text("a", headers: ["sqs-delay": "15m"]), .text("b")]))
                    .areDelivered)
        }
        #expect(try await testbed.drain("orders").map(\.text) == ["b"])
    }
}
