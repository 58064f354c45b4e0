import Testing

@testable import OutboxHTTP

@Suite(.timeLimit(.minutes(5))) struct HostQueueTests {
    /// A request that is not sent when it is its turn does not use the turn up: with a slow rate, all turns could go to those.
    @Test func aTurnThatIsGivenBackIsTheNextOnes() {
        var configuration = HTTPConfiguration()
        configuration.requestsPerSecondAndHost = 0.0001
        configuration.requestsPerHost = 1
        let queue = HostQueue("http://a.example", configuration)
        let transfers = (0..<3).map { HTTPTransfer(HTTPRequest("GET", "http://a.example/\($0)"), { _ in }) }
        for transfer in transfers { queue.append(transfer) }
        let first = queue.next()
        #expect(first === transfers[0] && queue.underWay == 1)
        queue.giveBack()
        let second = queue.next()
        #expect(second === transfers[1] && queue.underWay == 1)
        queue.finish()
        // Its turn is used up, and the next one comes after hours.
        let third = queue.next()
        #expect(third == nil && queue.underWay == 0)
    }
}
