import CRdKafka
import Testing

@testable import OutboxKafka

@Suite(.timeLimit(.minutes(10))) struct ContactTests {
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

    @Test func aCauseIsNewsWhenItIsAnother() {
        var contact = Contact(patience: .seconds(5), now: self.start)
        contact.failed(
            "Local: Broker transport failure: a:1/bootstrap: Connect to ipv4#10.0.0.1:1 failed: Connection refused")
        #expect(contact.news() == nil, "it is not down yet")
        _ = contact.check(now: self.start + .seconds(5))
        #expect(contact.news()?.hasPrefix("no broker within reach: Local: Broker transport failure: a:1/") == true)
        #expect(contact.news() == nil)
        // Another broker, another attempt, and the log instead of an error.
        contact.failed("b:2/2: Connect to ipv4#10.0.0.2:2 failed: Connection refused (after 3ms in state CONNECT)")
        #expect(contact.news() == nil)
        contact.failed(
            "Local: Broker transport failure: a:1/bootstrap: Connect to ipv4#10.0.0.1:1 failed: Connection refused"
                + " (after 0ms in state CONNECT, 1 identical error(s) suppressed)")
        #expect(contact.news() == nil)
        contact.failed(
            "Local: Authentication failure: a:1/bootstrap: SASL authentication error (after 300ms in state AUTH)")
        #expect(contact.news()?.contains("SASL authentication error") == true)
        contact.fallen("no descriptor")
        #expect(contact.news() == "no descriptor")
        _ = contact.reached()
        #expect(contact.news() == nil)
        contact.lost(now: self.start + .seconds(10))
        contact.failed("no descriptor")
        _ = contact.check(now: self.start + .seconds(20))
        #expect(contact.news() == "no broker within reach: no descriptor", "it was up in between")
    }

    @Test func aTopicThatStaysUnknownIsSaidOnce() {
        var check = TopicCheck(topic: "events", patience: .seconds(2))
        func note(_ code: rd_kafka_resp_err_t?, after seconds: Int) -> String? {
            check.note(code, now: self.start + .seconds(seconds))
        }
        let unknown = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
        let early = [note(RD_KAFKA_RESP_ERR__TIMED_OUT, after: 0), note(unknown, after: 5), note(unknown, after: 6)]
        #expect(early == [nil, nil, nil], "it may be about to be created")
        #expect(note(unknown, after: 7)?.contains("“events”") == true)
        #expect(check.topic == nil, "and is looked for no more")
        check = TopicCheck(topic: "events", patience: .seconds(2))
        #expect(note(unknown, after: 0) == nil && note(nil, after: 9) == nil && check.topic == nil)
        check = TopicCheck(topic: "events", patience: .seconds(2))
        for second in 0..<40 { #expect(note(RD_KAFKA_RESP_ERR__TIMED_OUT, after: second) == nil) }
        #expect(check.topic == nil, "there is no end of answers that say nothing")
        #expect(TopicCheck(topic: nil, patience: .zero).topic == nil)
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
