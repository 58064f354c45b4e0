import Logging
import Outbox
import OutboxRuntime
import OutboxTesting
import OutboxWebhook
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct WebhookDeliveryTests {
    /// What becomes of one message, by the receiver's answer.
    private func outcome(
        _ answer: HTTPServer.Answer, _ path: String = "/x",
        _ change: @Sendable (inout WebhookConfiguration) -> Void = { _ in }
    ) async throws -> Outcome {
        let receiver = try HTTPServer { _ in answer }
        let transport = try TransportUnderTest.make(receiver.url + path, change)
        return try await TransportUnderTest.run(transport) { try await $0.deliver([.numbered(1)])[0] }
    }

    @Test func whatAnswersMean() async throws {
        #expect(try await self.outcome(.status(200)) == .delivered)
        #expect(try await self.outcome(.status(422)) == .reject("the receiver has answered 422 Unprocessable Content"))
        #expect(try await self.outcome(.status(500)) == .retry("the receiver has answered 500 Internal Server Error"))
        #expect(try await self.outcome(.status(401)) == .retry("the receiver has answered 401 Unauthorized"))
        #expect(
            try await self.outcome(.status(408, headers: ["Retry-After: 7"]))
                == .retry(after: .seconds(7), "the receiver has answered 408 Request Timeout"))
        // By a pause of nothing at each attempt, all of them would be over within a second.
        #expect(
            try await self.outcome(.status(500, headers: ["Retry-After: 0"]))
                == .retry("the receiver has answered 500 Internal Server Error"))
        #expect(
            try await self.outcome(.status(429, headers: ["Retry-After: 7"]))
                == .unavailable("the receiver has answered 429 Too Many Requests"))
        #expect(try await self.outcome(.status(410)) == .unavailable("the receiver has answered 410 Gone"))
        #expect(try await self.outcome(.status(410), "/{route}") == .reject("the receiver has answered 410 Gone"))
    }

    @Test func aHugeAnswerIsNotRead() async throws {
        let body = [UInt8](repeating: 65, count: 20_000_000)
        #expect(try await self.outcome(.status(200, body: body)) == .delivered)
        #expect(try await self.outcome(.status(503, body: body)).word == "retry")
    }

    @Test func whatIsNoAnswer() async throws {
        for answer in [
            HTTPServer.Answer.bytes(""), .bytes("", reset: true), .bytes("HTTP/1.1 2"),
            .bytes("SSH-2.0-x\r\n\r\n"),
            .bytes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
            .bytes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", reset: true),
        ] {
            let outcome = try await self.outcome(answer)
            #expect(outcome.word == "retry" && outcome.reason?.hasPrefix("no answer: ") == true, "\(outcome)")
        }
    }

    @Test func aSilentReceiverIsTriedAgain() async throws {
        let outcome = try await self.outcome(.held(Latch())) { $0.limits.timeout = .milliseconds(300) }
        #expect(outcome.word == "retry" && outcome.reason?.contains("waiting for an answer") == true, "\(outcome)")
    }

    @Test func redirectsAreNotFollowed() async throws {
        let target = try HTTPServer()
        for status in [301, 302, 303, 307, 308] {
            let outcome = try await self.outcome(.status(status, headers: ["Location: \(target.url)/admin?secret=1"]))
            #expect(
                outcome.word == "retry"
                    && outcome.reason?.hasSuffix("redirects are not followed (to \(target.url))") == true)
        }
        #expect(target.connections == 0)
    }

    /// Names and addresses that lead into this machine, in all spellings that resolvers take.
    @Test(arguments: [
        "127.0.0.1", "localhost", "LOCALHOST", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "0.0.0.0",
        "[::ffff:127.0.0.1]", "[::1]",
    ])
    func privateAddressesAreRefusedBeforeAnythingIsSent(_ host: String) async throws {
        let receiver = try HTTPServer()
        let log = LogLines()
        let constant = try TransportUnderTest.make("http://\(host):\(receiver.port)/x", logger: log.logger) {
            $0.allowedAddresses = []
        }
        let outcome = try await TransportUnderTest.run(constant) { try await $0.deliver([.numbered(1)])[0] }
        // Its configuration is wrong for all messages: they wait.
        #expect(
            outcome.word == "unavailable" && outcome.reason?.contains("only addresses of the Internet") == true,
            "\(outcome)")
        #expect(log.lines.map(\.level) == [.error])
        let template = try TransportUnderTest.make("http://{header.host}:\(receiver.port)/x") { configuration in
            configuration.allowedAddresses = []
            configuration.hosts = ["*"]
        }
        let refused = try await TransportUnderTest.run(template) {
            try await $0.deliver([.numbered(1, headers: ["host": host])])[0]
        }
        // What a message names is its own fault.
        #expect(refused.word == "rejected", "\(refused)")
        #expect(receiver.connections == 0)
    }

    @Test func exceptionsAreByNameAddressOrBlock() async throws {
        for exception in ["localhost", "127.0.0.1", "127.0.0.0/8"] {
            let receiver = try HTTPServer()
            let transport = try TransportUnderTest.make("http://localhost:\(receiver.port)/x") {
                $0.allowedAddresses = [exception, "::1"]
            }
            #expect(
                try await TransportUnderTest.run(transport) { try await $0.deliver([.numbered(1)])[0] } == .delivered)
        }
    }

    @Test func everyAttemptHasTheSameIdAndItsOwnTime() async throws {
        let receiver = try HTTPServer { _ in .status(500) }
        let transport = try TransportUnderTest.make(receiver.url)
        let batch = MessageBatch([NewMessage.numbered(1)])
        try await TransportUnderTest.run(transport) { transport in
            for _ in 0..<3 { _ = try await transport.deliver(batch) }
        }
        let requests = receiver.requests
        #expect(requests.count == 3 && Set(requests.map(\.id)).count == 1)
        #expect(
            requests.allSatisfy { $0.headers["idempotency-key"] == $0.id && $0.headers["webhook-signature"] != nil })
    }

    /// A receiver that cannot be connected to, and one whose certificate is wrong, takes nothing of a message: no attempt is counted.
    @Test func noConnectionIsAnOutage() async throws {
        let receiver = try HTTPServer()
        receiver.stop()
        let transport = try TransportUnderTest.make(receiver.url)
        let tls = try HTTPServer()
        let encrypted = try TransportUnderTest.make("https://127.0.0.1:\(tls.port)")
        let unknown = try TransportUnderTest.make("http://nothing.invalid/x")
        for (transport, text) in [
            (transport, "no connection: "), (encrypted, "no connection: "), (unknown, "no connection: "),
        ] {
            try await TransportUnderTest.run(transport) { transport in
                let outcome = try await transport.deliver([.numbered(1)])[0]
                #expect(outcome.word == "unavailable" && outcome.reason?.hasPrefix(text) == true, "\(outcome)")
                #expect(!transport.health.isUp && transport.health.reason == outcome.reason)
            }
        }
    }

    @Test func whatIsWrongWithEveryMessageStopsAfterSome() async throws {
        // 20 messages of different keys to a receiver that was given a wrong secret.
        let receiver = try HTTPServer { _ in .status(403) }
        let log = LogLines()
        let transport = try TransportUnderTest.make(receiver.url, logger: log.logger) { $0.limits.requestsPerHost = 1 }
        let outcomes = try await TransportUnderTest.run(transport) { transport in
            try await transport.deliver((0..<20).map { .numbered($0, key: "k\($0)") })
        }
        #expect(outcomes.prefix(5).allSatisfy { $0 == .retry("the receiver has answered 403 Forbidden") })
        #expect(outcomes.dropFirst(5).allSatisfy { $0 == .unavailable("the receiver has answered 403 Forbidden") })
        #expect(receiver.requests.count == 5 && log.lines.map(\.level) == [.error])
    }

    /// Until the time is over that it has asked for, nothing is sent.
    @Test func oneReceiverThatThrottlesIsLeftAlone() async throws {
        let receiver = try HTTPServer { _ in .status(429, headers: ["Retry-After: 60"]) }
        let transport = try TransportUnderTest.make(receiver.url) { $0.limits.requestsPerHost = 1 }
        try await TransportUnderTest.run(transport) { transport in
            for _ in 0..<3 {
                let outcomes = try await transport.deliver((0..<5).map { .numbered($0, key: "k\($0)") })
                #expect(outcomes.allSatisfy { $0 == .unavailable("the receiver has answered 429 Too Many Requests") })
            }
        }
        #expect(receiver.requests.count == 1)
    }

    /// What waits for its turn is signed when it has it.
    @Test func aLimitOfRateIsKept() async throws {
        let receiver = try HTTPServer()
        let transport = try TransportUnderTest.make(receiver.url) { $0.limits.requestsPerSecond = 20 }
        let outcomes = try await TransportUnderTest.run(transport) { transport in
            try await transport.deliver((0..<21).map { .numbered($0, key: "k\($0)") })
        }
        #expect(outcomes.allSatisfy { $0 == .delivered })
        // 21 in a second and more.
        let times = Set(receiver.requests.compactMap { $0.headers["webhook-timestamp"] })
        #expect(times.count >= 2)
    }

    /// Whatever goes wrong, nothing that is logged or kept has a secret in it.
    @Test func secretsAreInNoLogAndNoOutcome() async throws {
        let secrets = [
            "t0ken-of-bearer", "t0ken-of-query", "t0ken-of-header", String(TransportUnderTest.secret.dropFirst(6)),
        ]
        for status in [200, 302, 400, 401, 404, 408, 410, 429, 500, 503, 0] {
            let receiver = try HTTPServer { request in
                // It says all that it was told.
                let body = Array("\(request.target) \(request.headers)".utf8)
                return .status(
                    status, headers: ["Location: \(request.target)?\(secrets[0])", "Retry-After: 1"], body: body)
            }
            if status == 0 { receiver.stop() }
            let log = LogLines(from: .trace)
            let transport = try TransportUnderTest.make(
                receiver.url + "/x?token=\(secrets[1])", logger: log.logger
            ) { configuration in
                configuration.credentials = .bearer(secrets[0])
                configuration.request.headers = ["X-Key": "t0ken-of-header"]
                configuration.outage.failures = 1
            }
            let said = try await TransportUnderTest.run(transport) { transport in
                let outcomes = try await transport.deliver([.numbered(1), .numbered(2)])
                return "\(outcomes) \(transport) \(transport.health) \(await transport.check()) \(log.all)"
            }
            for secret in secrets { #expect(!said.contains(secret), "\(status): \(said)") }
            #expect(status == 200 || status == 400 || status == 429 || !log.lines.isEmpty)
        }
    }

    @Test func contactIsAConnection() async throws {
        for answer in [HTTPServer.Answer.status(500), .status(404), .held(Latch()), .bytes("")] {
            let receiver = try HTTPServer { _ in answer }
            let transport = try TransportUnderTest.make(receiver.url) { $0.limits.connectTimeout = .milliseconds(300) }
            #expect(try await TransportUnderTest.run(transport) { await $0.contact() } == .up)
            #expect(receiver.requests.allSatisfy { $0.method == "OPTIONS" })
            receiver.stop()
            let other = try TransportUnderTest.make(receiver.url)
            #expect(try await TransportUnderTest.run(other) { await !$0.contact().isUp })
            let template = try TransportUnderTest.make("http://{key}:\(receiver.port)/") { $0.hosts = ["*"] }
            #expect(try await TransportUnderTest.run(template) { await $0.contact() } == .up)
        }
    }

    @Test func checkingSendsNoMessage() async throws {
        for (status, isUp) in [
            (204, true), (405, true), (500, true), (401, false), (403, false), (404, false), (410, false), (301, false),
        ] {
            let receiver = try HTTPServer { request in request.method == "OPTIONS" ? .status(status) : .accepted }
            let transport = try TransportUnderTest.make(receiver.url + "/x?y=1")
            let health = try await TransportUnderTest.run(transport) { await $0.check() }
            #expect(health.isUp == isUp, "\(status)")
            #expect(receiver.requests.map(\.method) == ["OPTIONS"] && receiver.requests[0].target == "/x?y=1")
            #expect(receiver.requests[0].headers["webhook-id"] == nil && receiver.requests[0].body.isEmpty)
            // Where the path comes from a message, the host alone is asked.
            let template = try TransportUnderTest.make(receiver.url + "/{route}")
            let host = try await TransportUnderTest.run(template) { await $0.check() }
            #expect(host.isUp && receiver.requests.last?.target == "/")
        }
        // Who asks is said, so that a receiver that wants to know answers as it would to a message.
        let receiver = try HTTPServer { $0.headers["authorization"] == "Bearer t" ? .accepted : .status(401) }
        let known = try TransportUnderTest.make(receiver.url) { $0.credentials = .bearer("t") }
        let (isKnown, isUnknown) = (
            try await TransportUnderTest.run(known) { await $0.check().isUp },
            try await TransportUnderTest.run(try TransportUnderTest.make(receiver.url)) { await !$0.check().isUp }
        )
        #expect(isKnown && isUnknown)
        let refused = try TransportUnderTest.make("http://localhost:1/") { $0.allowedAddresses = [] }
        let health = try await TransportUnderTest.run(refused) { await $0.check() }
        #expect(health.reason?.contains("only addresses of the Internet") == true)
    }
}
