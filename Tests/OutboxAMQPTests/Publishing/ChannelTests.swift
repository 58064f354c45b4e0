import Outbox
import OutboxTesting
import Testing

@testable import OutboxAMQP

@Suite(.timeLimit(.minutes(10))) struct ChannelTests {
    private func remedy(
        _ code: Int, _ text: String = "T", unconfirmed: Int = 1, isOverride: Bool = false, isAddressFixed: Bool = false,
        canRedeclare: Bool = false
    ) -> ChannelFault.Remedy {
        ChannelFault(code: code, text: text).remedy(
            unconfirmed: unconfirmed, isOverride: isOverride, isAddressFixed: isAddressFixed, canRedeclare: canRedeclare
        )
    }

    private static let refusedKey =
        "ACCESS_REFUSED - access to topic 'a' in exchange 'e' in vhost '/' refused for user 'u'"

    /// Everything that the broker can have against messages while the connection lasts, and what becomes of one message where its
    /// address is fixed, where its routing key is its own, and where its exchange is.
    @Test(
        arguments: [
            (404, "NOT_FOUND", "unavailable", "unavailable", "retry"),
            (403, "ACCESS_REFUSED - access to exchange", "unavailable", "unavailable", "retry"),
            (403, refusedKey, "unavailable", "retry", "retry"),
            (406, "PRECONDITION_FAILED", "rejected", "rejected", "rejected"),
            (311, "CONTENT_TOO_LARGE", "rejected", "rejected", "rejected"),
            (405, "RESOURCE_LOCKED", "retry", "retry", "retry"),
            (506, "RESOURCE_ERROR", "retry", "retry", "retry"),
        ])
    func whoseFaultAClosedChannelIs(_ code: Int, _ text: String, fixed: String, ownKey: String, ownExchange: String) {
        let expected = [fixed, ownKey, ownExchange]
        let remedies = [
            self.remedy(code, text, isAddressFixed: true), self.remedy(code, text),
            self.remedy(code, text, isOverride: true),
        ]
        for (remedy, expected) in zip(remedies, expected) {
            guard case .settle(let outcome) = remedy else {
                Issue.record("\(remedy)")
                continue
            }
            #expect("\(outcome.kind)".hasPrefix(expected), "\(code) \(text): \(outcome.kind)")
            #expect(outcome.reason == "\(code) \(text)")
        }
    }

    @Test func whoseFaultARefusedMessageIs() {
        for refusal in [Refusal.nacked, .returned("312 NO_ROUTE")] {
            #expect(refusal.outcome(isAddressFixed: true, unroutable: .retried) == .unavailable(refusal.reason))
            #expect(refusal.outcome(isAddressFixed: false, unroutable: .retried) == .retry(refusal.reason))
        }
        let returned = Refusal.returned("312 NO_ROUTE")
        #expect(returned.outcome(isAddressFixed: true, unroutable: .rejected) == .reject(returned.reason))
        #expect(
            Refusal.nacked.outcome(isAddressFixed: true, unroutable: .rejected) == .unavailable(Refusal.nacked.reason))
    }

    @Test func whatAnExchangeMayDelay() throws {
        let delaying = AMQPConfiguration.Exchange.declared(
            "e", type: "x-delayed-message", arguments: ["x-delayed-type": "direct"])
        let cases: [(AMQPConfiguration.Exchange, [String: String], Delay)] = [
            (delaying, ["x-delay": "1"], .certain), (delaying, [:], .none), (delaying, ["x-delay": "0"], .none),
            (delaying, ["x-delay": "soon"], .none), (delaying, ["x-delay": "1", "amqp-exchange": "o"], .possible),
            (.named("e"), ["x-delay": "1"], .possible), (.named("e"), [:], .none),
            (.declared("e", type: "direct"), ["x-delay": "1"], .none), (.default, ["x-delay": "1"], .none),
            (.named("e"), ["x-delay": "1", "amqp-exchange": ""], .none),
        ]
        for (exchange, headers, expected) in cases {
            let batch = MessageBatch([NewMessage(to: "bus", route: "r", headers: headers, text: "")])
            let publication = try Publication(batch[0], .init(), needsRoutingKey: false)
            #expect(Delay(publication, exchange) == expected, "\(exchange) \(headers)")
        }
    }

    @Test func whatCountsAsAFixedAddress() throws {
        let plain = NewMessage(to: "bus", route: "r", key: "1", text: "")
        let withKey = NewMessage(to: "bus", route: "r", key: "1", headers: ["amqp-routing-key": "k"], text: "")
        let withExchange = NewMessage(to: "bus", route: "r", key: "1", headers: ["amqp-exchange": "e"], text: "")
        let cases: [(AMQPConfiguration.Exchange, String, [Bool])] = [
            (AMQPConfiguration.Exchange.default, "queue", [true, false, false]),
            (.named("e"), "all", [true, false, false]),
            (.named("e"), "for.{destination}", [true, false, false]),
            (.named("e"), "{route|}", [false, false, false]),
            (.declared("e", type: "direct"), "all", [true, false, false]),
            (.declared("e", type: "topic"), "{key}", [false, false, false]),
            (.declared("e", type: "fanout"), "{route|}", [true, true, false]),
            (.declared("e", type: "headers"), "all", [false, false, false]),
            (
                .declared("e", type: "x-delayed-message", arguments: ["x-delayed-type": "fanout"]), "{route|}",
                [true, true, false]
            ),
            (.declared("e", type: "x-consistent-hash"), "all", [true, false, false]),
            (
                .declared("e", type: "x-consistent-hash", arguments: ["hash-header": "h"]), "all",
                [false, false, false]
            ),
        ]
        for (exchange, key, expected) in cases {
            var configuration = AMQPConfiguration(exchange: exchange)
            configuration.publishing.routingKey = try MessageTemplate(key)
            let address = FixedAddress(configuration)
            let actual = try MessageBatch([plain, withKey, withExchange]).map { message in
                address.includes(try Publication(message, configuration.publishing, needsRoutingKey: false))
            }
            #expect(actual == expected, "\(exchange) \(key)")
        }
    }

    @Test func aMissingExchangeIsItsMessagesFaultOrTheDestinations() {
        #expect(self.remedy(404, unconfirmed: 5, isOverride: true, canRedeclare: true) == .settle(.retry("404 T")))
        #expect(self.remedy(404, unconfirmed: 5, canRedeclare: true) == .redeclare)
        #expect(self.remedy(404, unconfirmed: 5) == .settle(.unavailable("404 T")))
    }

    @Test func anExchangeThatMayNotBeWrittenToIsNoMessagesFault() {
        #expect(self.remedy(403, unconfirmed: 5, isOverride: true) == .settle(.retry("403 T")))
        #expect(self.remedy(403, unconfirmed: 5, canRedeclare: true) == .settle(.unavailable("403 T")))
        #expect(self.remedy(403) == .settle(.unavailable("403 T")))
    }

    @Test(arguments: [
        "ACCESS_REFUSED - access to topic 'a' in exchange 'e' in vhost '/' refused for user 'u'",
        "ACCESS_REFUSED - write access to topic 'a' in exchange 'e' in vhost '/' refused for user 'u'",
    ])
    func aRoutingKeyThatMayNotBeWrittenToIsItsMessagesFault(_ text: String) {
        #expect(self.remedy(403, text, unconfirmed: 2, canRedeclare: true) == .search)
        #expect(self.remedy(403, text, canRedeclare: true) == .settle(.retry("403 \(text)")))
        #expect(self.remedy(403, text, isOverride: true) == .settle(.retry("403 \(text)")))
    }

    @Test func oneMessageIsToBlameForTheRest() {
        #expect(self.remedy(406, unconfirmed: 2) == .search)
        #expect(self.remedy(406) == .settle(.reject("406 T")))
        #expect(self.remedy(500) == .settle(.retry("500 T")))
    }

    @Test func theExchangeOfTheConfigurationKeepsItsChannel() {
        var table = ChannelTable()
        #expect(table.lookUp("orders") == .found(1))
        table[1].isOpen = true
        for number in 2...ChannelTable.usualCount {
            #expect(table.lookUp("e\(number)") == .found(UInt16(number)))
            table[UInt16(number)].isOpen = true
        }
        #expect(table.lookUp("e2") == .found(2))
        // The one that was used least lately, and has nothing on its way.
        #expect(table.lookUp("new") == .reuse(3))
        #expect(table.lookUp("orders") == .found(1))
        #expect(table[3].exchange == "new")
        #expect(!table[1].isOverride && table[3].isOverride)
        #expect(table.contains(32) && !table.contains(33) && !table.contains(0))
    }

    @Test func pausesDoubleUntilAConnectionHasServed() {
        var settings = AMQPConfiguration.Connection()
        settings.initialDelay = .milliseconds(100)
        settings.maximumDelay = .seconds(1)
        var schedule = ReconnectSchedule(settings)
        let pauses = (0..<6).map { _ in schedule.failed(random: 1) }
        #expect(
            pauses == [
                .milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800), .seconds(1),
                .seconds(1),
            ])
        #expect(schedule.failed(random: 0) == .zero)
        #expect(schedule.lost(hasServed: false, random: 0.5) == .milliseconds(500))
        #expect(schedule.lost(hasServed: true, random: 1) == .zero)
        #expect(schedule.failed(random: 0.5) == .milliseconds(50))
        for _ in 0..<100 { #expect(schedule.failed(random: 1) <= .seconds(1)) }
    }
}
