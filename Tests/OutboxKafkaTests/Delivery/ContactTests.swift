import Testing

@testable import OutboxKafka

@Suite struct ContactTests {
    private let start = ContinuousClock.now

    @Test func aStartWithoutAnAnswerIsAnOutageAfterAWhile() {
        var contact = Contact(patience: .seconds(5), now: self.start)
        #expect(contact.isInDoubt)
        let news1 = contact.check(now: self.start + .seconds(4))
        #expect(!news1)
        let news2 = contact.check(now: self.start + .seconds(5))
        #expect(news2)
        let news3 = contact.check(now: self.start + .seconds(6))
        #expect(!news3, "it is news only once")
        #expect(contact.phase == .down)
        let news4 = contact.reached()
        #expect(news4)
        #expect(contact.phase == .up)
    }

    @Test func brokersOutOfSightForAMomentAreNoOutage() {
        var contact = Contact(patience: .seconds(5), now: self.start)
        let news5 = contact.reached()
        #expect(news5)
        let news6 = contact.reached()
        #expect(!news6)
        contact.lost(now: self.start + .seconds(10))
        let news7 = contact.check(now: self.start + .seconds(14))
        #expect(!news7)
        let news8 = contact.reached()
        #expect(news8)
        let news9 = contact.check(now: self.start + .seconds(100))
        #expect(!news9)
    }

    @Test func theTimeCountsFromTheLoss() {
        var contact = Contact(patience: .seconds(5), now: self.start)
        _ = contact.reached()
        contact.lost(now: self.start + .seconds(10))
        contact.lost(now: self.start + .seconds(14))
        contact.failed("refused")
        let news10 = contact.check(now: self.start + .seconds(15))
        #expect(news10)
        #expect(contact.reason == "refused")
    }

    @Test func requestsAreHalvedAsLongAsTheyAreTooLarge() {
        var limit = RequestLimit()
        limit.note(oversizedRequests: 0)
        #expect(limit.bytes == nil)
        limit.note(oversizedRequests: 1)
        limit.note(oversizedRequests: 1)
        #expect(limit.bytes == RequestLimit.first)
        for count in 2...20 { limit.note(oversizedRequests: count) }
        #expect(limit.bytes == RequestLimit.smallest)
    }
}
