import Testing

@testable import OutboxCLI

/// How long a client of the listener may take for what.
@Suite(.timeLimit(.minutes(1))) struct ConnectionDeadlineTests {
    private let limits = ListenerLimits()
    private let start = ContinuousClock.now

    @Test func aConnectionWithoutARequestIsLetGo() {
        let connection = ConnectionDeadline(self.limits, now: self.start)
        #expect(!connection.isOver(self.start + .seconds(9)) && connection.isOver(self.start + .seconds(10)))
    }

    @Test func anAnswerIsTakenWithinItsTime() {
        var connection = ConnectionDeadline(self.limits, now: self.start)
        connection.requestBegins(hasBody: false, now: self.start + .seconds(1))
        #expect(connection.deadline == self.start + .seconds(31))
        // Requests that come behind it gain nothing.
        connection.requestBegins(hasBody: false, now: self.start + .seconds(20))
        #expect(connection.deadline == self.start + .seconds(31))
        let isFirstTheLast = connection.answerEnds(now: self.start + .seconds(21))
        #expect(!isFirstTheLast)
        #expect(connection.deadline == self.start + .seconds(51))
        let isSecondTheLast = connection.answerEnds(now: self.start + .seconds(22))
        #expect(!isSecondTheLast)
        // It is kept for the next scrape.
        #expect(connection.deadline == self.start + .seconds(97))
    }

    @Test func whatHasABodyIsTheLastRequest() {
        var connection = ConnectionDeadline(self.limits, now: self.start)
        connection.requestBegins(hasBody: true, now: self.start)
        let isTheLast = connection.answerEnds(now: self.start + .seconds(1))
        #expect(isTheLast)
        #expect(connection.deadline == self.start + .seconds(3))
    }

    @Test func anAnswerToNoRequestIsTheLast() {
        var connection = ConnectionDeadline(self.limits, now: self.start)
        let isTheLast = connection.answerEnds(now: self.start)
        #expect(isTheLast)
        #expect(connection.deadline == self.start + .seconds(2))
    }
}
