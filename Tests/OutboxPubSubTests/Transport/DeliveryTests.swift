import Outbox
import OutboxPubSub
import OutboxTesting
import Testing

@Suite(.timeLimit(.minutes(5))) struct DeliveryTests {
    @Test func arrivesAsGoogleReadsIt() async throws {
        let server = try await PubSubServer()
        let messages = [
            NewMessage(
                to: "orders", route: "placed", key: "customer-1", headers: ["a": "ö", "empty": ""], text: "zwölf"),
            NewMessage(to: "orders", payload: Array(0...255)),
            NewMessage(to: "orders", key: "customer-1", payload: []),
            NewMessage(to: "orders", key: String(repeating: "ü", count: 600), text: "long"),
            NewMessage(to: "orders", payload: Array(repeating: 7, count: 3_000_000)),
        ]
        let batch = MessageBatch(messages)
        try await TransportUnderTest.with(try TransportUnderTest.secure(server, .none)) { transport in
            let outcomes = try await transport.deliver(batch)
            #expect(outcomes.areDelivered)
        }
        let pulled = try await server.pull("orders", count: messages.count)
        for (message, original) in zip(batch, messages) {
            let record = try #require(pulled.first { $0.attributes?["outbox-id"] == "\(message.id)" })
            #expect(record.payload == original.payload)
            var attributes = original.headers
            attributes["outbox-id"] = "\(message.id)"
            attributes["outbox-enqueued-at"] = "1700000000000"
            attributes["outbox-route"] = original.route
            #expect(record.attributes == attributes)
            if (original.key?.utf8.count ?? 0) <= 1024 {
                #expect(record.ordering_key == original.key ?? "")
            } else {
                // As sha256sum has it.
                #expect(record.ordering_key == "4e543a2a186b91cccff238f893c36b126a6194849f209f1176975fa923ae9072")
            }
        }
    }

    @Test func requestsKeepTheServicesLimits() async throws {
        let server = try await PubSubServer()
        let large = Array(repeating: UInt8(7), count: 900_000)
        var messages =
            (0..<1500).map { NewMessage.numbered($0) } + (1500..<3000).map { NewMessage.numbered($0, key: "one") }
        messages += (0..<40).map { NewMessage(to: "orders", key: "large-\($0 % 2)", payload: large) }
        try await TransportUnderTest.with(try TransportUnderTest.secure(server, .none)) { transport in
            let outcomes = try await transport.deliver(MessageBatch(messages))
            #expect(outcomes.areDelivered)
        }
        let facts = try await server.facts()
        #expect(facts.violations == [])
        #expect(facts.overlaps == [])
        #expect(facts.most_count == 1000)
        #expect(facts.most_bytes > 9_000_000 && facts.most_bytes <= 10_000_000)
        // 1,500 without a key and 1,500 of one take two requests each; 20 of 900,000 bytes take two for each key.
        #expect(facts.requests == 2 + 2 + 4)
        let numbers = try await server.beginnings().filter { $0.ordering_key == "one" }.compactMap { Int($0.text) }
        #expect(numbers == Array(1500..<3000))
    }

    @Test func withoutOrderingKeysRequestsAreShared() async throws {
        let server = try await PubSubServer()
        let messages = (0..<500).map { NewMessage.numbered($0, key: "k\($0 % 50)") }
        let transport = try TransportUnderTest.make(server) { $0.ordering = .none }
        try await TransportUnderTest.with(transport) { transport in
            let outcomes = try await transport.deliver(MessageBatch(messages))
            #expect(outcomes.areDelivered)
        }
        #expect(try await server.facts().requests == 1)
        let keys = try await server.records().map(\.ordering_key)
        #expect(Set(keys) == [""])
    }

    @Test func topicsComeFromMessages() async throws {
        let server = try await PubSubServer(topics: ["orders-placed", "orders-paid"])
        let transport = try TransportUnderTest.make(server) {
            $0.topic = "orders-{route|placed}"
            $0.ordering = .by("{header.tenant|none}")
        }
        try await TransportUnderTest.with(transport) { transport in
            let outcomes = try await transport.deliver(
                MessageBatch([
                    .numbered(0, key: "k", route: "paid", headers: ["tenant": "a"]), .numbered(1, key: "k"),
                    .numbered(2, key: "k", route: "paid"), .numbered(3, key: "k", route: "no topic"),
                    .numbered(4, key: "k", route: "nowhere"), .numbered(5, key: "k"), .numbered(6, key: "other"),
                ]))
            #expect(Array(outcomes[0...2]).areDelivered)
            #expect(outcomes[3].isRejection)
            #expect(outcomes[4].isRetry, "\(outcomes[4])")
            #expect(outcomes[4].reason?.contains("projects/shop/topics/orders-nowhere") == true)
            #expect(outcomes[5] == .behind)
            #expect(outcomes[6] == .delivered)
        }
        let records = try await server.records()
        #expect(records.filter { $0.text != "6" }.map(\.text) == ["0", "1", "2"])
        #expect(records.first { $0.text == "0" }?.ordering_key == "a")
    }

    @Test func messagesThatTheServiceRefusesAreDeadAndNoOthers() async throws {
        let server = try await PubSubServer()
        let refused: [(message: NewMessage, reason: String)] = [
            (.numbered(0, headers: ["google-thing": "1"]), "goog"),
            (.numbered(0, headers: [String(repeating: "n", count: 257): "1"]), "257 bytes"),
            (.numbered(0, headers: ["": "1"]), "empty"),
            (.numbered(0, headers: ["long": String(repeating: "v", count: 1025)]), "1025 bytes"),
            (
                .numbered(0, headers: Dictionary(uniqueKeysWithValues: (0..<99).map { ("h\($0)", "v") })),
                "101 attributes"
            ),
            (.numbered(0, route: String(repeating: "r", count: 1025)), "outbox-route"),
            (NewMessage(to: "orders", payload: Array(repeating: 7, count: 10_000_001)), "10000001 bytes"),
            (NewMessage(to: "orders", payload: Array(repeating: 7, count: 9_999_950)), "with its attributes"),
        ]
        try await TransportUnderTest.with(server) { transport in
            for (message, reason) in refused {
                let batch = MessageBatch([.numbered(1, key: "k"), message, .numbered(2, key: "k")])
                let outcomes = try await transport.deliver(batch)
                #expect(outcomes[0] == .delivered && outcomes[2] == .delivered)
                #expect(outcomes[1].isRejection && outcomes[1].reason?.contains(reason) == true, "\(outcomes[1])")
            }
        }
        #expect(try await server.facts().violations == [])
    }

    @Test func anEmptyMessageNeedsAnAttribute() async throws {
        let server = try await PubSubServer()
        let transport = try TransportUnderTest.make(server) {
            $0.attributes = .init(id: nil, route: nil, enqueuedAt: nil)
        }
        try await TransportUnderTest.with(transport) { transport in
            let outcomes = try await transport.deliver(
                MessageBatch([
                    NewMessage(to: "orders", payload: []), NewMessage(to: "orders", headers: ["a": ""], payload: []),
                ]))
            #expect(outcomes[0].isRejection && outcomes[1] == .delivered, "\(outcomes)")
        }
    }
}
