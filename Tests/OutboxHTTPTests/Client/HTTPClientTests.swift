import Outbox
import OutboxHTTP
import OutboxRuntime
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct HTTPClientTests {
    private static func client(_ change: (inout HTTPConfiguration) -> Void = { _ in }) throws -> HTTPClient {
        var configuration = HTTPConfiguration.patient
        change(&configuration)
        return try HTTPClient(configuration)
    }

    private static func failure(_ client: HTTPClient, _ request: HTTPRequest) async throws -> HTTPFailure {
        do {
            let response = try await client.send(request)
            throw DeliveryFailure.retry("there is an answer: \(response.status)")
        } catch let failure as HTTPFailure {
            return failure
        }
    }

    @Test func whatIsSentArrivesAndWhatIsAnsweredComesBack() async throws {
        let server = try HTTPServer { .status(201, headers: ["X-Two: a", "x-two: b "], body: $0.body.reversed()) }
        defer { server.stop() }
        let client = try Self.client()
        try await withClient(client) {
            for (method, body) in [
                ("POST", Array("abc".utf8)), ("PUT", [0, 1, 255]), ("GET", []), ("DELETE", []), ("POST", []),
            ] {
                let request = HTTPRequest(
                    method, server.url + "/a?b=c", headers: [HTTPHeader("X-Empty", ""), HTTPHeader("X-One", "1")],
                    body: body)
                let response = try await client.send(request)
                #expect(response.status == 201)
                #expect(response.body == body.reversed())
                #expect(response.value(of: "X-TWO") == "b")
                #expect(response.headers.filter { $0.name.lowercased() == "x-two" }.map(\.value) == ["a", "b"])
                let arrived = try #require(server.requests.last)
                #expect(arrived.method == method)
                #expect(arrived.target == "/a?b=c")
                #expect(arrived.body == body)
                #expect(arrived.headers["x-one"] == "1" && arrived.headers["x-empty"] == "")
                #expect(arrived.headers["content-type"] == nil && arrived.headers["expect"] == nil)
            }
        }
        #expect(server.connections == 1)
    }

    /// One handle of libcurl for one request after the other: nothing of a request is left for the next.
    @Test func nothingOfARequestIsLeftForTheNext() async throws {
        let server = try HTTPServer { .status(200, body: $0.method == "HEAD" ? [] : $0.body) }
        defer { server.stop() }
        let client = try Self.client { $0.requestsPerHost = 1 }
        try await withClient(client) {
            for round in 0..<60 {
                let method = ["POST", "GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "POST"][round % 8]
                let size = ["GET", "HEAD"].contains(method) ? 0 : [5, 0, 100_000, 300, 70_000][round % 5]
                let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &+ round) }
                let headers = (0..<round % 11).map {
                    HTTPHeader("X-\($0)", String(repeating: "v", count: round * $0 % 200))
                }
                var request = HTTPRequest(method, server.url + "/\(round / 3)", headers: headers, body: body)
                if round % 2 == 0 { request.headers.append(HTTPHeader("Content-Type", "a/b")) }
                if round % 3 == 0 { request.headersOfItsTurn = { [HTTPHeader("X-Late", "\(round)")] } }
                let response = try await client.send(request)
                let arrived = try #require(server.requests.last)
                #expect(response.status == 200 && response.body == body && arrived.body == body)
                #expect(arrived.method == method && arrived.target == "/\(round / 3)")
                for (number, header) in headers.enumerated() {
                    #expect(arrived.headers["x-\(number)"] == header.value)
                }
                #expect(arrived.headers.keys.count { $0.hasPrefix("x-") } == headers.count + (round % 3 == 0 ? 1 : 0))
                #expect(arrived.headers["content-type"] == (round % 2 == 0 ? "a/b" : nil))
                #expect(arrived.headers["x-late"] == (round % 3 == 0 ? "\(round)" : nil))
            }
        }
        #expect(server.connections == 1)
    }

    /// All of them come at once. A host of which nothing is sent for a while is still the same, with its limits.
    @Test(arguments: [nil, 200.0])
    func whatIsNotAdmittedHoldsUpNothing(_ rate: Double?) async throws {
        let server = try HTTPServer { _ in .status(200) }
        defer { server.stop() }
        let client = try Self.client {
            $0.requestsPerHost = 1
            $0.requestsPerSecondAndHost = rate
        }
        let statuses = Mutex<[Int]>([])
        let recalled = (0..<60).map { number in
            var request = HTTPRequest("POST", server.url)
            if number % 3 != 0 { request.admission = { "not now" } }
            let transfer = client.submit(request) { result in
                statuses.withLock { $0.append((try? result.get().status) ?? 0) }
            }
            if number % 7 == 0 { client.cancel(transfer) }
            return number % 7 == 0
        }
        _ = try await withClient(client) {
            try await eventually("all are finished") { statuses.withLock(\.count) == 60 }
        }
        let sent = (0..<60).count { $0 % 3 == 0 && !recalled[$0] }
        #expect(statuses.withLock { $0.count { $0 == 200 } } == sent)
        #expect(server.requests.count == sent && server.mostUnderWay == 1)
    }

    @Test func aMegabyteArrivesWhole() async throws {
        let server = try HTTPServer { .status(200, body: Digest.sha256($0.body)) }
        defer { server.stop() }
        let body = (0..<(3 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
        let client = try Self.client()
        let response = try await withClient(client) {
            try await client.send(HTTPRequest("POST", server.url, body: body))
        }
        #expect(response.body == Digest.sha256(body))
    }

    @Test func manyRequestsAreUnderWayAtTheSameTimeUpToTheLimit() async throws {
        let latch = Latch()
        let server = try HTTPServer { _ in .held(latch, status: 200) }
        defer { server.stop() }
        let client = try Self.client { $0.requestsPerHost = 7 }
        try await withClient(client) {
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<50 { group.addTask { try await client.send(HTTPRequest("POST", server.url)).status } }
                try await eventually("7 requests have arrived") { server.requests.count == 7 }
                latch.open()
                for try await status in group { #expect(status == 200) }
            }
        }
        #expect(server.mostUnderWay == 7)
        #expect(server.requests.count == 50)
    }

    @Test func oneHostThatIsSilentHoldsUpNoOther() async throws {
        let (silent, server) = (try HTTPServer { _ in .silence }, try HTTPServer { _ in .status(200) })
        defer { silent.stop() }
        defer { server.stop() }
        let client = try Self.client { $0.requestsPerHost = 2 }
        try await withClient(client) {
            let stuck = (0..<10).map { _ in client.submit(HTTPRequest("POST", silent.url)) { _ in } }
            for _ in 0..<100 {
                let response = try await client.send(HTTPRequest("POST", server.url))
                #expect(response.status == 200)
            }
            // Before they are cancelled one by one, of which each gives its turn to the next.
            #expect(silent.requests.count <= 2)
            for transfer in stuck { client.cancel(transfer) }
        }
    }

    @Test func whatGoesWrongIsToldApart() async throws {
        let server = try HTTPServer { request in
            switch request.target {
            case "/fine": .accepted
            case "/half": .bytes("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            case "/reset": .bytes("", reset: true)
            case "/none": .bytes("")
            case "/nonsense": .bytes("this is not HTTP\r\n\r\n")
            default: .silence
            }
        }
        defer { server.stop() }
        let client = try Self.client { $0.connectTimeout = .seconds(5) }
        let refusing = try SilentPort().port
        try await withClient(client) {
            let half = try await Self.failure(client, HTTPRequest("POST", server.url + "/half"))
            #expect(half.kind == .connectionLost && half.status == 200 && half.mayHaveArrived)
            for path in ["/reset", "/none"] {
                let lost = try await Self.failure(client, HTTPRequest("POST", server.url + path))
                #expect(lost.kind == .connectionLost && lost.mayHaveArrived && lost.status == nil)
            }
            #expect(try await Self.failure(client, HTTPRequest("POST", server.url + "/nonsense")).kind == .notHTTP)
            let late = try await Self.failure(
                client, HTTPRequest("POST", server.url + "/silence", timeout: .milliseconds(300)))
            #expect(late.kind == .timedOut && late.mayHaveArrived && late.reason.contains("waiting for an answer"))
            // On a connection that was there, which was neither looked up nor made.
            _ = try await client.send(HTTPRequest("POST", server.url + "/fine", timeout: .seconds(30)))
            let reused = try await Self.failure(
                client, HTTPRequest("POST", server.url + "/silence", timeout: .milliseconds(300)))
            #expect(reused.kind == .timedOut && reused.reason.contains("waiting for an answer"), "\(reused)")
            let refused = try await Self.failure(client, HTTPRequest("POST", "http://127.0.0.1:\(refusing)/"))
            #expect(refused.kind == .notConnected && !refused.mayHaveArrived)
            let unknown = try await Self.failure(client, HTTPRequest("POST", "http://there-is-no-such-host.invalid/"))
            #expect(unknown.kind == .notResolved && !unknown.mayHaveArrived)
            // Nothing of TLS is spoken there.
            let plain = try await Self.failure(client, HTTPRequest("POST", "https://127.0.0.1:\(server.port)/"))
            #expect([.tls, .connectionLost, .timedOut].contains(plain.kind) && !plain.mayHaveArrived)
        }
    }

    @Test(arguments: [
        HTTPRequest("POST", "file:///etc/passwd"), HTTPRequest("POST", "127.0.0.1"), HTTPRequest("POST", ""),
        HTTPRequest("POST", "http://user:secret@127.0.0.1/"), HTTPRequest("PO ST", "http://127.0.0.1/"),
        HTTPRequest("POST", "http://127.0.0.1/\r\nX: y"), HTTPRequest("POST", "http://127.0.0.1/ a b"),
        HTTPRequest("POST", "http://127.0.0.1/", headers: [HTTPHeader("A", "b\r\nC: d")]),
        HTTPRequest("POST", "http://127.0.0.1/", headers: [HTTPHeader("A:", "b")]),
        HTTPRequest("POST", "http://127.0.0.1/", headers: [HTTPHeader("", "b")]),
        HTTPRequest("POST", "http://127.0.0.1:99999/"),
    ])
    func whatCannotBeSentIsSaid(_ request: HTTPRequest) async throws {
        let client = try Self.client()
        let failure = try await withClient(client) { try await Self.failure(client, request) }
        #expect(failure.kind == .invalidRequest)
        #expect(!failure.reason.contains("secret"))
    }

    @Test func anAnswerIsReadUpToALimit() async throws {
        let server = try HTTPServer { _ in .status(200, body: Array(repeating: 7, count: 100_000)) }
        defer { server.stop() }
        let client = try Self.client { $0.longestResponse = 1000 }
        try await withClient(client) {
            let response = try await client.send(HTTPRequest("GET", server.url))
            #expect(response.status == 200 && response.isCut)
            #expect(response.body == Array(repeating: 7, count: 1000))
        }
    }

    @Test func redirectsAreAnswersAndNotFollowed() async throws {
        let server = try HTTPServer { _ in .status(302, headers: ["Location: /elsewhere"]) }
        defer { server.stop() }
        let client = try Self.client()
        let response = try await withClient(client) { try await client.send(HTTPRequest("POST", server.url)) }
        #expect(response.status == 302 && response.value(of: "location") == "/elsewhere")
        #expect(server.requests.count == 1)
    }

    @Test(arguments: ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f000001", "2130706433"])
    func anAddressThatIsNotAllowedIsNotConnectedTo(_ host: String) async throws {
        let server = try HTTPServer { _ in .status(200) }
        defer { server.stop() }
        let client = try Self.client { $0.addresses = .publicOnly() }
        let url = "http://\(host):\(server.port)/"
        let failure = try await withClient(client) { try await Self.failure(client, HTTPRequest("POST", url)) }
        #expect(failure.kind == .refusedAddress && !failure.mayHaveArrived)
        #expect(server.connections == 0)
    }

    @Test func anAddressThatIsAllowedByNameIsConnectedTo() async throws {
        let server = try HTTPServer { _ in .status(204) }
        defer { server.stop() }
        let allowed = try AllowedAddress("127.0.0.0/8")
        let client = try Self.client { $0.addresses = .publicOnly(except: [allowed]) }
        let response = try await withClient(client) { try await client.send(HTTPRequest("POST", server.url)) }
        #expect(response.status == 204)
    }

    @Test func whatIsCancelledEndsAndTheRestGoesOn() async throws {
        let latch = Latch()
        let server = try HTTPServer { $0.target == "/slow" ? .held(latch, status: 200) : .status(200) }
        defer { server.stop() }
        let client = try Self.client()
        try await withClient(client) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<20 {
                    group.addTask { _ = try await client.send(HTTPRequest("POST", server.url + "/slow")) }
                }
                try await eventually("all have arrived") { server.requests.count == 20 }
                group.cancelAll()
                while let result = await group.nextResult() {
                    #expect(throws: CancellationError.self) { try result.get() }
                }
            }
            #expect(try await client.send(HTTPRequest("POST", server.url)).status == 200)
            latch.open()
        }
    }

    @Test func whatWaitsForItsTurnCanBeTakenBack() async throws {
        let latch = Latch()
        let server = try HTTPServer { _ in .held(latch, status: 200) }
        defer { server.stop() }
        let client = try Self.client { $0.requestsPerHost = 1 }
        let kinds = Mutex<[HTTPFailure.Kind?]>([])
        try await withClient(client) {
            let transfers = (0..<5).map { _ in
                client.submit(HTTPRequest("POST", server.url)) { result in
                    kinds.withLock { kinds in
                        switch result {
                        case .success: kinds.append(nil)
                        case .failure(let failure): kinds.append(failure.kind)
                        }
                    }
                }
            }
            try await eventually("the first has arrived") { server.requests.count == 1 }
            for transfer in transfers { client.withdraw(transfer) }
            try await eventually("the others are taken back") { kinds.withLock { $0.count == 4 } }
            latch.open()
        }
        #expect(kinds.withLock { $0 } == [.withdrawn, .withdrawn, .withdrawn, .withdrawn, nil])
        #expect(server.requests.count == 1)
    }

    @Test func whatIsNotAdmittedIsNotSent() async throws {
        let server = try HTTPServer { _ in .status(200) }
        defer { server.stop() }
        let client = try Self.client()
        let request = HTTPRequest("POST", server.url, admission: { "the host is down" })
        let failure = try await withClient(client) { try await Self.failure(client, request) }
        #expect(failure.kind == .withdrawn && failure.reason == "the host is down")
        #expect(server.requests.isEmpty)
    }

    @Test func closingFinishesWhatIsUnderWay() async throws {
        let latch = Latch()
        let server = try HTTPServer { _ in .held(latch, status: 200) }
        defer { server.stop() }
        let client = try Self.client()
        try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask {
                try await client.run()
                return 0
            }
            for _ in 0..<10 { group.addTask { try await client.send(HTTPRequest("POST", server.url)).status } }
            try await eventually("all have arrived") { server.requests.count == 10 }
            async let closed: Void = client.close()
            latch.open()
            await closed
            var statuses: [Int] = []
            for try await status in group { statuses.append(status) }
            #expect(statuses.sorted() == [0] + Array(repeating: 200, count: 10))
        }
        let failure = try await Self.failure(client, HTTPRequest("POST", server.url))
        #expect(failure.kind == .closed)
    }

    @Test func aConnectionThatTheServerHasClosedIsMadeAgain() async throws {
        let server = try HTTPServer { _ in .bytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") }
        defer { server.stop() }
        let client = try Self.client()
        try await withClient(client) {
            for _ in 0..<20 {
                let response = try await client.send(HTTPRequest("POST", server.url))
                #expect(response.status == 200)
            }
        }
        #expect(server.requests.count >= 20)
    }

    /// At a rate at which the next turn comes while the one before is looked after.
    @Test(arguments: [100.0, 20_000]) func requestsThatWaitForTheirTurnAllHaveIt(rate: Double) async throws {
        let server = try HTTPServer { _ in .status(200) }
        defer { server.stop() }
        let client = try Self.client { $0.requestsPerSecondAndHost = rate }
        let count = rate > 1000 ? 2000 : 20
        try await withClient(client) {
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<count { group.addTask { try await client.send(HTTPRequest("POST", server.url)).status } }
                for try await status in group { #expect(status == 200) }
            }
        }
        #expect(server.requests.count == count)
    }

    /// A receiver that is never reached through a proxy does not use up what others need.
    @Test func behindAProxyHostsDoNotWaitForEachOther() async throws {
        let proxy = try HTTPServer {
            $0.target.contains("silent") ? .silence : .status(200, body: Array($0.target.utf8))
        }
        defer { proxy.stop() }
        let client = try Self.client { configuration in
            configuration.proxy = proxy.url
            configuration.requestsPerHost = 4
        }
        try await withClient(client) {
            let stuck = (0..<20).map { _ in client.submit(HTTPRequest("POST", "http://silent.test/")) { _ in } }
            try await eventually("four are under way") { proxy.requests.count == 4 }
            let response = try await client.send(HTTPRequest("POST", "http://live.test/a"))
            #expect(response.body == Array("http://live.test/a".utf8))
            for transfer in stuck { client.cancel(transfer) }
        }
    }

    @Test(arguments: [
        "http://user:secret@proxy:99999", "htp://user:secret@proxy", "http://user:secret@pro xy", "ftp://secret",
    ])
    func aProxyThatCannotBeOneIsRefusedWithoutItsPassword(_ address: String) {
        let error = #expect(throws: TransportConfigurationError.self) { try Self.client { $0.proxy = address } }
        #expect(error?.description.contains("secret") == false)
    }
}
