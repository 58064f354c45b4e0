import Logging
import Outbox
import OutboxRuntime
import OutboxTesting
import OutboxWebhook
import Synchronization
import TestSupport
import Testing

/// A destination with several receivers, of which some are down.
@Suite(.timeLimit(.minutes(5))) struct SeveralHostsTests {
    /// Two receivers on one port.
    private func receivers(
        _ second: @escaping @Sendable (HTTPServer.Request) -> HTTPServer.Answer
    ) throws -> (healthy: HTTPServer, other: HTTPServer) {
        let healthy = try HTTPServer()
        return (healthy, try HTTPServer(number: 2, port: healthy.port, second))
    }

    private func transport(
        _ port: UInt16, log: LogLines = LogLines(), _ change: (inout WebhookConfiguration) -> Void = { _ in }
    ) throws -> WebhookTransport {
        try TransportUnderTest.make("http://{header.host}:\(port)/x", logger: log.logger) { configuration in
            configuration.hosts = ["127.0.0.1", "127.0.0.2"]
            configuration.outage.initialPause = .seconds(60)
            change(&configuration)
        }
    }

    /// Every other message is for the second receiver.
    private func messages(_ count: Int) -> [NewMessage] {
        (0..<count).map { .numbered($0, key: "k\($0)", headers: ["host": "127.0.0.\(1 + $0 % 2)"]) }
    }

    private func words(_ outcomes: [Outcome], ofHost number: Int) -> Set<String> {
        Set(outcomes.enumerated().filter { $0.offset % 2 == number - 1 }.map(\.element.word))
    }

    @Test func oneThatCannotBeConnectedToDelaysNoOther() async throws {
        let (healthy, dead) = try self.receivers { _ in .accepted }
        dead.stop()
        let log = LogLines()
        try await TransportUnderTest.run(self.transport(healthy.port, log: log)) { transport in
            for _ in 0..<3 {
                let outcomes = try await transport.deliver(self.messages(100))
                #expect(
                    self.words(outcomes, ofHost: 1) == ["delivered"] && self.words(outcomes, ofHost: 2) == ["postponed"]
                )
            }
            #expect(transport.health.isUp)
        }
        #expect(healthy.accepted.count == 150)
        #expect(log.lines.map(\.text) == ["A receiver is down; its messages wait"])
        #expect(log.lines.first?.value("outbox.webhook.receiver") == dead.url)
    }

    @Test func oneThatFailsCountsAttemptsOfThoseAloneThatItWasSent() async throws {
        let (healthy, failing) = try self.receivers { _ in .status(500) }
        try await TransportUnderTest.run(self.transport(healthy.port) { $0.limits.requestsPerHost = 1 }) { transport in
            let outcomes = try await transport.deliver(self.messages(100))
            #expect(self.words(outcomes, ofHost: 1) == ["delivered"])
            #expect(
                outcomes.filter { $0.word == "retry" }.count == 5
                    && outcomes.filter { $0.word == "postponed" }.count == 45)
        }
        #expect(failing.requests.count == 5)
    }

    @Test func oneThatIsSilentHoldsUpWhatItWasSentAlone() async throws {
        let (healthy, silent) = try self.receivers { _ in .held(Latch()) }
        let transport = try self.transport(healthy.port) { configuration in
            configuration.limits.requestsPerHost = 8
            configuration.limits.timeout = .seconds(1)
        }
        try await TransportUnderTest.run(transport) { transport in
            let outcomes = try await transport.deliver(self.messages(200))
            #expect(
                self.words(outcomes, ofHost: 1) == ["delivered"]
                    && self.words(outcomes, ofHost: 2) == ["retry", "postponed"])
            // All that were on their way, and what took the place of the first four that failed.
            #expect(outcomes.filter { $0.word == "retry" }.count <= 12)
            // From now on, nothing of it is waited for.
            let later = try await transport.deliver(self.messages(200))
            #expect(self.words(later, ofHost: 1) == ["delivered"] && self.words(later, ofHost: 2) == ["postponed"])
        }
        #expect(silent.requests.count <= 12)
    }

    @Test func oneThatThrottlesIsLeftAlone() async throws {
        for header in [
            "Retry-After: 60", "Retry-After: Wed, 01 Jan 2200 00:00:00 GMT",
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sunday, 06-Nov-94 08:50:37 GMT",
        ] {
            let (healthy, throttling) = try self.receivers { _ in .status(429, headers: [header]) }
            try await TransportUnderTest.run(self.transport(healthy.port) { $0.limits.requestsPerHost = 1 }) {
                transport in
                let outcomes = try await transport.deliver(self.messages(20))
                #expect(
                    self.words(outcomes, ofHost: 1) == ["delivered"] && self.words(outcomes, ofHost: 2) == ["postponed"]
                )
                guard case .postponed(let pause, _) = outcomes[1].kind else { return }
                #expect(pause >= .seconds(59) && pause <= .seconds(5400))
            }
            #expect(throttling.requests.count == 1)
        }
    }

    /// A receiver that asks for no time, or for one that is over, is left alone for longer and longer all the same.
    @Test(arguments: ["Retry-After: 0", "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT"])
    func oneThatAsksForNoTimeIsLeftAlone(_ header: String) async throws {
        let (healthy, throttling) = try self.receivers { _ in .status(429, headers: [header]) }
        try await TransportUnderTest.run(self.transport(healthy.port) { $0.limits.requestsPerHost = 1 }) { transport in
            let outcomes = try await transport.deliver(self.messages(20))
            #expect(self.words(outcomes, ofHost: 2) == ["postponed"])
            for outcome in outcomes {
                guard case .postponed(let pause, _) = outcome.kind else { continue }
                #expect(pause > .milliseconds(100))
            }
        }
        #expect(throttling.requests.count == 1)
    }

    /// Where the host is the destination's, an address that is not connected to is an outage, and empties nothing into dead letter.
    @Test func anAddressThatIsRefusedIsAnOutageOfItsDestination() async throws {
        let transport = try TransportUnderTest.make("http://{destination}:1/x") {
            $0.hosts = ["localhost"]
            $0.allowedAddresses = []
        }
        try await TransportUnderTest.run(transport) { transport in
            let outcome = try await transport.deliver([NewMessage(to: "localhost", text: "{}")])[0]
            #expect(
                outcome.word == "unavailable" && outcome.reason?.contains("only addresses of the Internet") == true,
                "\(outcome)")
        }
    }

    /// An error that follows 410 does not say that it is back.
    @Test func oneThatIsGoneIsBackByADeliveryAlone() async throws {
        let latch = Latch()
        let (healthy, gone) = try self.receivers { request in
            request.text.contains(":1}") ? .status(410) : .held(latch, status: 404)
        }
        let log = LogLines()
        try await TransportUnderTest.run(self.transport(healthy.port, log: log)) { transport in
            async let outcomes = transport.deliver(self.messages(4))
            try await eventually("410 has come, while another message is on its way") {
                log.lines.count == 1 && gone.requests.count == 2
            }
            latch.open()
            #expect(try await outcomes.map(\.word) == ["delivered", "rejected", "delivered", "retry"])
            #expect(try await self.words(transport.deliver(self.messages(4)), ofHost: 2) == ["rejected"])
        }
        #expect(gone.requests.count == 2 && log.lines.count == 1)
    }

    @Test func oneThatIsGoneMakesDeadLettersAndSaysSoOnce() async throws {
        let isGone = Atomic(true)
        let (healthy, gone) = try self.receivers { _ in isGone.load(ordering: .relaxed) ? .status(410) : .accepted }
        let log = LogLines()
        try await TransportUnderTest.run(self.transport(healthy.port, log: log) { $0.limits.requestsPerHost = 1 }) {
            transport in
            let outcomes = try await transport.deliver(self.messages(20)) + transport.deliver(self.messages(20))
            #expect(self.words(outcomes, ofHost: 1) == ["delivered"] && self.words(outcomes, ofHost: 2) == ["rejected"])
        }
        // Those of the first batch were handed over before the first answer came.
        #expect(gone.requests.count == 10)
        #expect(log.lines.map(\.level) == [.error] && log.lines.first?.value("outbox.webhook.url") == gone.url + "/x")
        let held = try self.transport(healthy.port) { $0.outage.gone = .held }
        try await TransportUnderTest.run(held) { transport in
            let outcomes = try await transport.deliver(self.messages(20))
            #expect(
                self.words(outcomes, ofHost: 1) == ["delivered"] && self.words(outcomes, ofHost: 2) == ["postponed"])
        }
    }

    @Test func oneThatIsBackGetsItsMessages() async throws {
        let (healthy, other) = try self.receivers { _ in .accepted }
        other.stop()
        let log = LogLines()
        let transport = try self.transport(healthy.port, log: log) {
            $0.outage.initialPause = .milliseconds(1)
            $0.outage.maximumPause = .milliseconds(1)
        }
        try await TransportUnderTest.run(transport) { transport in
            #expect(try await self.words(transport.deliver(self.messages(20)), ofHost: 2) == ["postponed"])
            try other.start()
            try await eventually("all of a batch is delivered") {
                try await transport.deliver(self.messages(20)).allSatisfy { $0 == .delivered }
            }
        }
        #expect(log.lines.map(\.text).suffix(1) == ["A receiver is back"])
    }

    /// A batch whose task is cancelled leaves no probe behind that never ends.
    @Test func aCancelledProbeIsNotWaitedFor() async throws {
        let isHeld = Atomic(true)
        let (healthy, other) = try self.receivers { _ in isHeld.load(ordering: .relaxed) ? .held(Latch()) : .accepted }
        other.stop()
        let transport = try self.transport(healthy.port) {
            $0.outage.initialPause = .milliseconds(1)
            $0.outage.maximumPause = .milliseconds(1)
        }
        try await TransportUnderTest.run(transport) { transport in
            _ = try await transport.deliver(self.messages(2))
            try other.start()
            let probe = Task {
                while !Task.isCancelled { _ = try await transport.deliver(self.messages(2)) }
            }
            try await eventually("a probe is under way") { other.requests.count > 0 }
            probe.cancel()
            _ = await probe.result
            isHeld.store(false, ordering: .relaxed)
            try await eventually("another one is let through") {
                try await transport.deliver(self.messages(2)).allSatisfy { $0 == .delivered }
            }
        }
    }
}
