import Outbox
import OutboxTesting
import Testing

/// What a test can ask of what was enqueued.
@Suite(.timeLimit(.minutes(5))) struct EnqueuedMessagesTests {
    private struct Order: Codable, Hashable {
        var id: Int
    }

    private func filled() throws -> InMemoryOutbox {
        let outbox = InMemoryOutbox()
        try outbox.enqueue(NewMessage(to: "orders", route: "placed", key: "1", json: Order(id: 1)))
        try outbox.enqueue(NewMessage(to: "orders", route: "paid", key: "1", json: Order(id: 1)))
        try outbox.enqueue(NewMessage(to: "orders", route: "placed", key: "2", json: Order(id: 2)))
        try outbox.enqueue(NewMessage(to: "mail", text: "Thank “you”"))
        try outbox.enqueue(NewMessage(to: "raw", payload: [0xFF, 0xFE]))
        return outbox
    }

    @Test func isFilteredByWhereItGoes() throws {
        let outbox = try self.filled()
        #expect(outbox.enqueued().map(\.id) == [1, 2, 3, 4, 5])
        #expect(outbox.enqueued(for: "orders").count == 3)
        #expect(outbox.enqueued(for: "orders", route: "placed").map(\.id) == [1, 3])
        #expect(outbox.enqueued(for: "orders", key: "1").map(\.id) == [1, 2])
        #expect(outbox.enqueued(key: "2").map(\.id) == [3])
        #expect(outbox.enqueued(for: "nothing").isEmpty)
    }

    @Test func isDecoded() throws {
        let outbox = try self.filled()
        #expect(try outbox.enqueued(for: "orders", route: "placed").decode(Order.self) == [Order(id: 1), Order(id: 2)])
        #expect(try outbox.enqueued(for: "orders", key: "2").only().decode() == Order(id: 2))
        #expect(outbox.enqueued(for: "mail").first?.text == "Thank “you”")
        #expect(outbox.enqueued(for: "raw").first?.text == nil)
    }

    /// What a failed test shows.
    @Test func saysWhatIsThere() throws {
        let outbox = try self.filled()
        let error = #expect(throws: UnexpectedMessages.self) {
            try outbox.enqueued(for: "orders", key: "1").only()
        }
        #expect(
            error?.description == """
                expected one message, found 2 messages for orders with key 1:
                  #1 to orders, route placed, key 1: "{\\"id\\":1}"
                  #2 to orders, route paid, key 1: "{\\"id\\":1}"
                """)
        #expect("\(outbox.enqueued(for: "raw"))" == "1 message for raw:\n  #5 to raw: 2 bytes")
        #expect("\(outbox.enqueued(for: "x", route: "r"))" == "0 messages for x with route r")
    }

    /// Committed messages, and those alone; delivered ones too.
    @Test func countsWhatIsCommitted() async throws {
        let outbox = InMemoryOutbox()
        let open = outbox.begin()
        try open.enqueue(NewMessage(to: "d", text: "a"))
        #expect(outbox.enqueued().isEmpty)
        open.commit()
        try await outbox.drain(routes: ["d": .handler { _ in }])
        #expect(try outbox.enqueued(for: "d").only().text == "a")
    }
}
