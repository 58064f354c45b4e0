import Outbox
import Testing

@testable import OutboxAMQP

@Suite struct ChannelTests {
    private func remedy(
        _ code: Int, _ text: String = "T", unconfirmed: Int = 1, isOverride: Bool = false, canRedeclare: Bool = false
    ) -> ChannelFault.Remedy {
        ChannelFault(code: code, text: text).remedy(
            unconfirmed: unconfirmed, isOverride: isOverride, canRedeclare: canRedeclare)
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
