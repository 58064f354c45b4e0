import Logging
import Outbox
import OutboxAMQP
import OutboxTesting
import TestSupport
import Testing

@testable import RabbitMQMailbox

@Suite(.timeLimit(.minutes(5))) struct DeliveryTests {
    @Test func bytesPropertiesAndHeadersArriveAsTheyWere() async throws {
        try await BrokerScope.with { scope in
            try await scope.withTransport { configuration in
                configuration.publishing.contentType = "text/plain"
                configuration.publishing.applicationID = "shop"
                configuration.publishing.type = "{route}.v1"
                configuration.publishing.priority = 3
                // Whole milliseconds are sent, rounded up: 0 would drop what no consumer waits for.
                configuration.publishing.expiration = .microseconds(599_999_500)
                configuration.publishing.messageID = "shop-{id}"
            } _: { transport in
                let plain = NewMessage(
                    to: "bus", route: "orders", headers: ["a": "ä", "traceparent": "00-1"], payload: Array(0...255))
                let overridden = NewMessage(
                    to: "bus", route: "nowhere",
                    headers: [
                        "amqp-routing-key": "orders", "amqp-priority": "9", "amqp-expiration": "500000",
                        "content-type": "application/json", "amqp-type": "other", "amqp-correlation-id": "c",
                        "amqp-reply-to": "r", "amqp-app-id": "till", "kept": "yes",
                    ], text: "{}")
                #expect(try await transport.deliver([plain, overridden]) == [.delivered, .delivered])
                let mails = try await scope.arrived()
                try #require(mails.count == 2)
                var expected = Mail(
                    exchange: scope.name, routingKey: "orders", payload: Array(0...255), contentType: "text/plain",
                    type: "orders.v1", applicationID: "shop", expiration: "600000", priority: 3,
                    timestamp: 1_700_000_000, deliveryMode: 2, headers: ["a": "ä", "traceparent": "00-1"])
                expected.messageID = mails[0].messageID
                #expect(mails[0] == expected)
                #expect(mails[0].messageID?.hasPrefix("shop-") == true)
                expected = Mail(
                    exchange: scope.name, routingKey: "orders", payload: Array("{}".utf8),
                    messageID: mails[1].messageID,
                    contentType: "application/json", type: "other", correlationID: "c", replyTo: "r",
                    applicationID: "till", expiration: "500000", priority: 9, timestamp: 1_700_000_000, deliveryMode: 2,
                    headers: ["kept": "yes"])
                #expect(mails[1] == expected)
            }
        }
    }

    @Test(arguments: [0, 1, 131_063, 131_064, 131_065, 262_128, 5_000_000])
    func payloadsOfAnyLengthArrive(_ count: Int) async throws {
        try await BrokerScope.with { scope in
            try await scope.withTransport { transport in
                let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
                let message = NewMessage(to: "bus", route: "orders", payload: payload)
                #expect(try await transport.deliver([message, .numbered(1)]) == [.delivered, .delivered])
                let mails = try await scope.arrived()
                #expect(mails.map(\.payload) == [payload, NewMessage.numbered(1).payload])
            }
        }
    }

    @Test func anUnroutableMessageIsAFailureAndNoOther() async throws {
        try await BrokerScope.with { scope in
            try await scope.withTransport { transport in
                let messages = (0..<2000).map { NewMessage.numbered($0, route: $0 % 3 == 1 ? "nobody" : "orders") }
                let outcomes = try await transport.deliver(messages)
                for (number, outcome) in outcomes.enumerated() {
                    #expect(outcome == (number % 3 == 1 ? .retry("unroutable: 312 NO_ROUTE") : .delivered))
                }
                #expect(try await scope.arrived().compactMap(\.number) == (0..<2000).filter { $0 % 3 != 1 })
            }
            try await scope.withTransport {
                $0.publishing.unroutable = .rejected
            } _: { transport in
                let outcomes = try await transport.deliver([.numbered(1, route: "nobody"), .numbered(2)])
                #expect(outcomes == [.reject("unroutable: 312 NO_ROUTE"), .delivered])
            }
            try await scope.withTransport {
                $0.publishing.unroutable = .dropped
            } _: { transport in
                let outcomes = try await transport.deliver([.numbered(1, route: "nobody")])
                #expect(outcomes == [.delivered])
            }
        }
    }

    @Test func aQueueThatIsFullRefusesAndKeepsTheOrder() async throws {
        try await BrokerScope.with { scope in
            try await scope.withTransport { configuration in
                configuration.queues[0].arguments = ["x-max-length": 10, "x-overflow": "reject-publish"]
            } _: { transport in
                let messages = (0..<40).map { NewMessage.numbered($0, key: "k\($0 % 2)") }
                let outcomes = try await transport.deliver(messages)
                let taken = outcomes.indices.filter { outcomes[$0] == .delivered }
                #expect(taken == Array(0..<taken.count))
                #expect(taken.count >= 10)
                for outcome in outcomes[taken.count...] where outcome != .behind {
                    #expect(outcome == .retry(outcome.reason ?? ""), "its routing key comes from the message")
                    #expect(outcome.reason?.contains("basic.nack") == true)
                }
                #expect(try await scope.arrived().compactMap(\.number) == taken)
                #expect(try await transport.deliver([.numbered(100)]) == [.delivered])
            }
        }
    }

    @Test func aFullQueueOfAFixedAddressIsAnOutageAndKeepsTheOrder() async throws {
        try await BrokerScope.with { scope in
            try await scope.withTransport { configuration in
                configuration.exchange = .default
                configuration.publishing.routingKey = MessageTemplate(stringLiteral: scope.name)
                configuration.queues = [
                    .init(scope.name, arguments: ["x-max-length": 10, "x-overflow": "reject-publish"])
                ]
            } _: { transport in
                let outcomes = try await transport.deliver((0..<40).map { .numbered($0, key: "k\($0 % 2)") })
                let taken = outcomes.indices.filter { outcomes[$0] == .delivered }
                #expect(taken == Array(0..<taken.count))
                #expect(outcomes[taken.count...].contains { $0 != .behind })
                for outcome in outcomes[taken.count...] where outcome != .behind {
                    #expect(outcome == .unavailable(outcome.reason ?? ""))
                    #expect(transport.health == .down(outcome.reason ?? ""))
                }
                let own = try await transport.deliver([
                    .numbered(99, headers: ["amqp-routing-key": scope.name])
                ])
                #expect(own == [.retry(own[0].reason ?? "")], "it names the queue itself")
                #expect(try await scope.arrived().compactMap(\.number) == taken)
                #expect(try await transport.deliver([.numbered(100)]) == [.delivered])
                #expect(transport.health.isUp)
            }
        }
    }

    /// A queue that is full is an outage for as long as it takes: with two attempts only, no message is dead.
    @Test func aFullQueueMakesNoDeadLetters() async throws {
        try await BrokerScope.with { scope in
            try await scope.mailbox.declareQueue(
                scope.name, arguments: ["x-max-length": 5], texts: ["x-overflow": "reject-publish"])
            let transport = try scope.transport { configuration in
                configuration.exchange = .default
                configuration.queues = []
                configuration.publishing.routingKey = MessageTemplate(stringLiteral: scope.name)
            }
            let outbox = InMemoryOutbox()
            try outbox.enqueue((0..<30).map { .numbered($0, key: "k\($0 % 3)") })
            var logger = Logger(label: "outbox.test")
            logger.logLevel = .critical
            let relay = Relay(
                store: outbox,
                routes: [
                    "bus": .transport(
                        transport,
                        settings: DeliverySettings(
                            retry: .constant(.milliseconds(1), maximumAttempts: 2),
                            breaker: .opening(initialDelay: .milliseconds(2), maximumDelay: .milliseconds(20))))
                ], logger: logger)
            var numbers: [Int] = []
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await relay.run() }
                try await eventually("the queue was emptied often enough") {
                    numbers += try await scope.arrived().compactMap(\.number)
                    return numbers.count == 30
                }
                relay.stop()
                try await group.waitForAll()
            }
            #expect(outbox.deadLetters().isEmpty)
            for key in 0..<3 { #expect(numbers.filter { $0 % 3 == key } == Array(stride(from: key, to: 30, by: 3))) }
        }
    }

    /// What an exchange that delays a message does: it returns the message, and confirms it.
    @Test func aMessageThatIsReturnedBecauseItIsDelayedIsNotSentAgain() async throws {
        try await BrokerScope.with { scope in
            try await scope.mailbox.declareExchange(scope.name, type: "direct")
            let delayed = NewMessage.numbered(1, headers: ["x-delay": "2000"])
            try await scope.withTransport {
                $0.exchange = .named(scope.name)
                $0.queues = []
            } _: { transport in
                let outcomes = try await transport.deliver([delayed, .numbered(2)])
                #expect(outcomes == [.delivered, .retry("unroutable: 312 NO_ROUTE")])
            }
            try await scope.withTransport {
                $0.exchange = .declared(scope.name, type: "direct")
                $0.queues = []
            } _: { transport in
                let outcomes = try await transport.deliver([delayed])
                #expect(outcomes == [.retry("unroutable: 312 NO_ROUTE")], "an exchange that delays nothing")
            }
        }
    }

    @Test func whatIsUnroutableAtAFixedAddressIsAnOutage() async throws {
        try await BrokerScope.with { scope in
            try await scope.withTransport { configuration in
                configuration.exchange = .declared(scope.name, type: "fanout")
                configuration.queues = []
            } _: { transport in
                let lost = try await transport.deliver([.numbered(1, key: "k"), .numbered(2, key: "k")])
                #expect(lost == [.unavailable("unroutable: 312 NO_ROUTE"), .behind])
                #expect(!transport.health.isUp)
                try await scope.mailbox.declareQueue(scope.name)
                try await scope.mailbox.bind(scope.name, to: scope.name, key: "")
                let found = try await transport.deliver([.numbered(1, key: "k"), .numbered(2, key: "k")])
                #expect(found == [.delivered, .delivered])
                #expect(transport.health.isUp)
            }
        }
    }

    @Test func aMissingExchangeOfAMessageTakesNoOtherWithIt() async throws {
        try await BrokerScope.with { scope in
            try await scope.withTransport { transport in
                let messages = (0..<50).map { number in
                    NewMessage.numbered(
                        number, headers: number % 5 == 0 ? ["amqp-exchange": "missing-\(number % 10)"] : [:])
                }
                let outcomes = try await transport.deliver(messages)
                for (number, outcome) in outcomes.enumerated() {
                    if number % 5 == 0 {
                        #expect((outcome.reason ?? "").contains("404 NOT_FOUND - no exchange 'missing-"))
                    } else {
                        #expect(outcome == .delivered)
                    }
                }
                #expect(try await scope.arrived().count == 40)
            }
        }
    }

    @Test func manyExchangesOfMessagesShareFewChannels() async throws {
        try await BrokerScope.with { scope in
            let names = (0..<100).map { "\(scope.name)-\($0)" }
            try await scope.mailbox.declareQueue(scope.name)
            for name in names {
                try await scope.mailbox.declareExchange(name, type: "fanout")
                try await scope.mailbox.bind(scope.name, to: name, key: "")
            }
            try await scope.withTransport { transport in
                for round in 0..<3 {
                    let messages = names.map { NewMessage.numbered(round, headers: ["amqp-exchange": $0]) }
                    let outcomes = try await transport.deliver(messages)
                    #expect(outcomes.allSatisfy { $0 == .delivered })
                }
                let exchanges = try await scope.arrived().map(\.exchange)
                #expect(Set(exchanges) == Set(names))
            }
        }
    }

    /// An exchange that refuses whatever is published to it, with 403, by the messages' own doing.
    @Test func messagesThatTheBrokerRefusesAreFoundAmongOthers() async throws {
        try await BrokerScope.with { scope in
            try await scope.withTransport { transport in
                let outcomes = try await transport.deliver(
                    (0..<60).map { number in
                        let isBad = number % 20 == 7
                        return NewMessage.numbered(
                            number, key: "k\(number % 3)",
                            headers: isBad ? ["amqp-exchange": "amq.rabbitmq.trace"] : [:])
                    })
                for (number, outcome) in outcomes.enumerated() {
                    if number % 20 == 7 {
                        #expect(
                            (outcome.reason ?? "").contains("403 ACCESS_REFUSED") || outcome == .behind,
                            "\(number): \(outcome)")
                    } else {
                        #expect(outcome == .delivered || outcome == .behind, "\(number): \(outcome)")
                    }
                }
                #expect(outcomes.contains { ($0.reason ?? "").contains("403 ACCESS_REFUSED") })
            }
        }
    }

    @Test func whatCanNeverBePublishedIsRejectedWithTheFieldsName() async throws {
        try await BrokerScope.with { scope in
            try await scope.withTransport { transport in
                let long = String(repeating: "x", count: 256)
                let messages = [
                    NewMessage.numbered(1, headers: ["amqp-priority": "256"]),
                    .numbered(2, headers: ["amqp-expiration": "soon"]),
                    .numbered(3, headers: ["amqp-routing-key": long]),
                    .numbered(4, headers: ["amqp-correlation-id": long]),
                    .numbered(5, headers: [long: "a"]),
                    .numbered(6, headers: ["big": String(repeating: "x", count: 140_000)]),
                    .numbered(7, headers: ["amqp-exchange": "", "amqp-routing-key": ""]),
                    .numbered(8),
                ]
                let outcomes = try await transport.deliver(messages)
                #expect(
                    outcomes == [
                        .reject("amqp-priority: not a whole number from 0 to 255"),
                        .reject("amqp-expiration: not a whole number of milliseconds from 0 to 4,294,967,295"),
                        .reject("routing key: 256 bytes; AMQP allows 255"),
                        .reject("amqp-correlation-id: 256 bytes; AMQP allows 255"),
                        .reject("a header’s name: 256 bytes; AMQP allows 255"),
                        outcomes[5],
                        .reject("routing key: empty, and the default exchange has nothing else to go by"),
                        .delivered,
                    ])
                #expect((outcomes[5].reason ?? "").contains("do not fit a frame of 131072"))
            }
        }
    }
}
