import Outbox
import OutboxPubSub
import OutboxTesting
import Testing

/// What becomes of messages when the service refuses, throttles or fails.
@Suite(.timeLimit(.minutes(5))) struct FaultTests {
    /// The codes of gRPC, and what a message's outcome is.
    static let codes: [(code: Int, name: String, isRight: @Sendable (Outcome) -> Bool)] = [
        (1, "CANCELLED", { $0.isPostponed }), (2, "UNKNOWN", { $0.isRetry }),
        (3, "INVALID_ARGUMENT", { $0.isRejection }), (4, "DEADLINE_EXCEEDED", { $0.isUnavailable }),
        (5, "NOT_FOUND", { $0.isUnavailable }), (6, "ALREADY_EXISTS", { $0.isRetry }),
        (7, "PERMISSION_DENIED", { $0.isUnavailable }), (8, "RESOURCE_EXHAUSTED", { $0.isPostponed }),
        (9, "FAILED_PRECONDITION", { $0.isUnavailable }), (10, "ABORTED", { $0.isPostponed }),
        (11, "OUT_OF_RANGE", { $0.isRejection }), (12, "UNIMPLEMENTED", { $0.isUnavailable }),
        (13, "INTERNAL", { $0.isRetry }), (14, "UNAVAILABLE", { $0.isUnavailable }), (15, "DATA_LOSS", { $0.isRetry }),
        (16, "UNAUTHENTICATED", { $0.isUnavailable }), (99, "UNKNOWN", { $0.isRetry }),
    ]

    @Test func everyCodeHasItsOutcome() async throws {
        let server = try await PubSubServer()
        try await TransportUnderTest.with(server) { transport in
            for (code, name, isRight) in Self.codes {
                try await server.fail(code, count: 1, ["message": "so it is: ä %"])
                let outcomes = try await transport.deliver(MessageBatch([.numbered(code)]))
                #expect(isRight(outcomes[0]), "\(code): \(outcomes[0])")
                #expect(outcomes[0].reason?.contains("\(name) – so it is: ä %") == true, "\(outcomes[0])")
            }
            let outcomes = try await transport.deliver(MessageBatch([.numbered(0)]))
            #expect(outcomes.areDelivered)
            #expect(transport.health.isUp)
        }
    }

    @Test func oneMessageThatIsRefusedIsFoundAmongAThousand() async throws {
        let server = try await PubSubServer()
        try await server.fail(3, ["attribute": "poison", "message": "schema"])
        try await TransportUnderTest.with(server) { transport in
            let messages = (0..<1000).map { number in
                NewMessage.numbered(
                    number, key: "k", headers: [123, 700].contains(number) ? ["poison": "1"] : [:])
            }
            let outcomes = try await transport.deliver(MessageBatch(messages))
            let rejected = outcomes.indices.filter { outcomes[$0].isRejection }
            #expect(rejected == [123, 700])
            let others = outcomes.enumerated().filter { !rejected.contains($0.offset) }.map(\.element)
            #expect(others.areDelivered)
        }
        // In order, each once, and by few requests.
        let texts = try await server.records().map(\.text)
        #expect(texts == (0..<1000).filter { ![123, 700].contains($0) }.map(String.init))
        let facts = try await server.facts()
        #expect(facts.requests < 60 && facts.overlaps.isEmpty)
    }

    @Test func aFailedKeyIsResumedInOrder() async throws {
        let server = try await PubSubServer()
        try await TransportUnderTest.with(server) { transport in
            try await server.fail(13, count: 2, ["key": "a"])
            var rest = (0..<90).map { NewMessage.numbered($0, key: ["a", "b", "c"][$0 % 3]) }
            var rounds = 0
            while !rest.isEmpty {
                let outcomes = try await transport.deliver(MessageBatch(rest))
                // Of a key, the first that has failed counts an attempt; those behind it count none.
                let (retries, behind) = (outcomes.count(where: \.isRetry), outcomes.count { $0 == .behind })
                #expect(retries == (rounds < 2 ? 1 : 0) && behind == (rounds < 2 ? 29 : 0))
                rest = zip(rest, outcomes).filter { $0.1 != .delivered }.map(\.0)
                rounds += 1
            }
            #expect(rounds == 3)
        }
        let records = try await server.records()
        for (index, key) in ["a", "b", "c"].enumerated() {
            let numbers = records.filter { $0.ordering_key == key }.compactMap { Int($0.text) }
            #expect(numbers == (0..<30).map { $0 * 3 + index })
        }
    }

    @Test func throttlingWaitsAsLongAsTheServiceAsks() async throws {
        let server = try await PubSubServer()
        try await TransportUnderTest.with(server) { transport in
            try await server.fail(8, count: 1, ["key": "a", "milliseconds": 90_500, "message": "Quota exceeded"])
            let outcomes = try await transport.deliver(
                MessageBatch([.numbered(0, key: "a"), .numbered(1, key: "b"), .numbered(2, key: "a")]))
            guard case .postponed(let delay, let reason) = outcomes[0].kind else {
                Issue.record("\(outcomes[0])")
                return
            }
            #expect(delay == .milliseconds(90_500))
            #expect(reason.contains("RESOURCE_EXHAUSTED"))
            #expect(outcomes[1] == .delivered && outcomes[2] == .behind)
            #expect(transport.health.isUp)
        }
    }

    @Test func aRequestThatIsTooLargeForTheServerIsDivided() async throws {
        let server = try await PubSubServer()
        try await server.fail(8, count: 1, ["message": "grpc: received message larger than max (5000000 vs. 4194304)"])
        try await TransportUnderTest.with(server) { transport in
            let outcomes = try await transport.deliver(MessageBatch((0..<10).map { NewMessage.numbered($0, key: "k") }))
            #expect(outcomes.areDelivered)
        }
        #expect(try await server.records().map(\.text) == (0..<10).map(String.init))
    }

    @Test func aTopicThatIsNotThereIsAnOutage() async throws {
        let server = try await PubSubServer(topics: [])
        try await TransportUnderTest.with(server) { transport in
            let messages = (0..<2500).map { NewMessage.numbered($0) }
            let outcomes = try await transport.deliver(MessageBatch(messages))
            #expect(outcomes.areUnavailable)
            #expect(outcomes[0].reason?.contains("projects/shop/topics/orders: NOT_FOUND") == true)
            let health = await transport.check()
            #expect(health.reason?.contains("projects/shop/topics/orders: NOT_FOUND") == true)
            try await server.create("orders")
            #expect(await transport.check().isUp)
            let delivered = try await transport.deliver(MessageBatch(messages))
            #expect(delivered.areDelivered)
            try await server.delete("orders")
            let deleted = try await transport.deliver(MessageBatch([.numbered(0)]))
            #expect(deleted[0].isUnavailable && !transport.health.isUp)
        }
    }

    @Test func aTopicThatMayNotBePublishedToIsAnOutage() async throws {
        let server = try await PubSubServer()
        try await TransportUnderTest.with(server) { transport in
            try await server.send("forbid", ["topic": "orders"])
            let outcomes = try await transport.deliver(MessageBatch([.numbered(0), .numbered(1)]))
            #expect(outcomes.areUnavailable)
            #expect(outcomes[0].reason?.contains("PERMISSION_DENIED") == true)
            #expect(await transport.check().reason?.contains("pubsub.topics.publish is missing") == true)
            try await server.send("mend")
            #expect(await transport.check().isUp)
        }
    }

    @Test func aTopicThatMayOnlyBePublishedToIsUp() async throws {
        let server = try await PubSubServer(topics: ["unseen-orders"])
        try await server.send("forbid", ["topic": "unseen-orders"])
        let transport = try TransportUnderTest.make(server) { $0.topic = "unseen-orders" }
        try await TransportUnderTest.with(transport) { transport in
            #expect(await transport.check().isUp)
        }
    }

    @Test func aServerThatIsNotPubSubIsAnOutage() async throws {
        let server = try await PubSubServer()
        // The token server speaks HTTP/1.1.
        let transport = try TransportUnderTest.make(server) { $0.endpoint = server.addresses.tokens }
        try await TransportUnderTest.with(transport) { transport in
            let outcomes = try await transport.deliver(MessageBatch([.numbered(0)]))
            #expect(outcomes[0].isUnavailable, "\(outcomes)")
            #expect(await !transport.check().isUp)
        }
    }

    @Test func plainTextToAServerWithTLSIsAnOutageAndSoIsTheReverse() async throws {
        let server = try await PubSubServer()
        let plain = try TransportUnderTest.make(server) { $0.endpoint = "http://localhost:\(server.addresses.secure)" }
        let secure = try TransportUnderTest.secure(server, .none) {
            $0.endpoint = "localhost:\(server.addresses.plain)"
        }
        let untrusting = try TransportUnderTest.secure(server, .none) { $0.tls.caFile = nil }
        for transport in [plain, secure, untrusting] {
            try await TransportUnderTest.with(transport) { transport in
                let outcomes = try await transport.deliver(MessageBatch([.numbered(0)]))
                #expect(outcomes[0].isUnavailable && outcomes[0].reason != "", "\(outcomes)")
                let health = await transport.contact()
                #expect(!health.isUp && health.reason != nil)
            }
        }
    }

    @Test func aCancelledDeliveryLetsOthersGoOn() async throws {
        let server = try await PubSubServer()
        try await TransportUnderTest.with(server) { transport in
            try await server.send("hold")
            let cancelled = Task { try await transport.deliver(MessageBatch([.numbered(1)])) }
            while try await server.send("held", as: Int.self) < 1 { await Task.yield() }
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            try await server.send("release")
            let outcomes = try await transport.deliver(MessageBatch([.numbered(2)]))
            #expect(outcomes.areDelivered)
        }
    }

    @Test func aConnectionThatHasGoneSilentIsNotUsedAgain() async throws {
        let server = try await PubSubServer()
        let transport = try TransportUnderTest.secure(server, .none) { $0.delivery.timeout = .seconds(1) }
        try await TransportUnderTest.with(transport) { transport in
            let before = try await transport.deliver(MessageBatch([.numbered(0)]))
            #expect(before.areDelivered)
            #expect(try await server.send("freeze", as: Int.self) > 0)
            let silent = try await transport.deliver(MessageBatch([.numbered(1)]))
            #expect(silent.areUnavailable)
            for number in 1...3 {
                let after = try await transport.deliver(MessageBatch([.numbered(number)]))
                #expect(after.areDelivered, "\(after)")
            }
        }
    }

    @Test func whatIsCancelledSaysNothingOfTheService() async throws {
        let server = try await PubSubServer()
        try await TransportUnderTest.with(server) { transport in
            let first = try await transport.deliver(MessageBatch([.numbered(0)]))
            #expect(first.areDelivered)
            try await server.send("hold")
            let cancelled = Task { try await transport.deliver(MessageBatch([.numbered(1)])) }
            while try await server.send("held", as: Int.self) < 1 { await Task.yield() }
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            try await server.send("release")
            #expect(transport.health.isUp)
        }
    }

    @Test func aTokenThatCannotBeSentIsAnOutage() async throws {
        let server = try await PubSubServer()
        let transport = try TransportUnderTest.secure(server, .custom { .init("a\nb", expiresIn: .seconds(60)) })
        try await TransportUnderTest.with(transport) { transport in
            let outcomes = try await transport.deliver(MessageBatch([.numbered(0), .numbered(1, key: "k")]))
            #expect(outcomes.areUnavailable)
            #expect(outcomes[0].reason?.contains("“authorization” has a line break") == true, "\(outcomes)")
        }
    }
}
