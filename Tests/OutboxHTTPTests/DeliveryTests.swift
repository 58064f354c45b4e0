import Outbox
import OutboxHTTP
import OutboxRuntime
import OutboxTesting
import Synchronization
import TestSupport
import Testing

/// A service that takes several messages a request, a line each, and answers with a line for each: “ok”, “again” or “never”.
private struct LineService: RequestService {
    let url: String
    let most: Int

    func requests(
        for indexes: [Int], of batch: MessageBatch, settle: (_ index: Int, _ outcome: Outcome) -> Void
    ) -> [MessageRequest] {
        var rest: [Int] = []
        for index in indexes {
            if batch[index].text == "refused" { settle(index, .reject("refused")) } else { rest.append(index) }
        }
        return stride(from: 0, to: rest.count, by: self.most).map { start in
            let part = Array(rest[start..<min(start + self.most, rest.count)])
            let lines = part.map { "\(batch[$0].key ?? "")=\(batch[$0].text)" }
            return MessageRequest(
                indexes: part, request: HTTPRequest("POST", self.url, body: Array(lines.joined(separator: "\n").utf8)))
        }
    }

    func outcome(
        of result: Result<HTTPResponse, HTTPFailure>, for request: MessageRequest, of batch: MessageBatch
    ) -> RequestOutcome {
        switch result {
        case .failure(let failure): return .each(request.indexes.map { _ in .retry(failure.reason) })
        case .success(let response) where response.status == 503:
            return .each(request.indexes.map { _ in .unavailable("down") })
        case .success(let response):
            let lines = String(decoding: response.body, as: UTF8.self).split(separator: "\n")
            if lines.count == request.indexes.count, lines.allSatisfy({ $0 == "ok" }) { return .delivered }
            return .each(
                lines.map { line in
                    switch line {
                    case "ok": .delivered
                    case "again": .retry("again")
                    default: .reject("never")
                    }
                })
        }
    }
}

extension Message {
    fileprivate var text: String { String(decoding: self.payload, as: UTF8.self) }
}

@Suite(.timeLimit(.minutes(10))) struct DeliveryTests {
    private static func batch(_ messages: [(key: String?, text: String)]) -> MessageBatch {
        MessageBatch(messages.map { NewMessage(to: "lines", key: $0.key, text: $0.text) })
    }

    private static func lines(_ request: HTTPServer.Request) -> [String] {
        String(decoding: request.body, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).map(
            String.init)
    }

    private static func answers(_ request: HTTPServer.Request, _ word: (String) -> String) -> HTTPServer.Answer {
        .status(200, body: Array(Self.lines(request).map(word).joined(separator: "\n").utf8))
    }

    @Test func requestsAreFilledAndKeysStayInOrder() async throws {
        let server = try HTTPServer { Self.answers($0) { _ in "ok" } }
        defer { server.stop() }
        let client = try HTTPClient(.patient)
        let service = LineService(url: server.url, most: 10)
        let keyed = Self.batch((0..<300).map { (key: "k\($0 % 7)", text: "\($0)") })
        let free = Self.batch((0..<100).map { (key: nil, text: "\($0)") })
        try await withClient(client) {
            let outcomes = try await client.deliver(keyed, by: service)
            #expect(outcomes == Array(repeating: .delivered, count: 300))
            let requests = server.requests.count
            #expect(try await client.deliver(free, by: service).allSatisfy { $0 == .delivered })
            #expect(server.requests.count - requests == 10)
        }
        var last: [Substring: Int] = [:]
        let lines = server.requests.flatMap(Self.lines).filter { $0.first == "k" }
        #expect(lines.count == 300)
        for line in lines {
            let halves = line.split(separator: "=")
            let number = try #require(Int(halves[1]))
            #expect(last[halves[0]] ?? -1 < number)
            last[halves[0]] = number
        }
    }

    @Test func whatFailsHoldsUpItsKeyAlone() async throws {
        let server = try HTTPServer { request in
            Self.answers(request) { $0 == "a=2" ? "again" : $0 == "b=2" ? "never" : "ok" }
        }
        defer { server.stop() }
        let client = try HTTPClient(.patient)
        let batch = Self.batch(
            (0..<5).flatMap { [(key: "a", text: "\($0)"), (key: "b", text: "\($0)")] } + [(nil, "refused")])
        let outcomes = try await withClient(client) {
            try await client.deliver(batch, by: LineService(url: server.url, most: 3))
        }
        let a = stride(from: 0, to: 10, by: 2).map { outcomes[$0] }
        let b = stride(from: 1, to: 10, by: 2).map { outcomes[$0] }
        #expect(a == [.delivered, .delivered, .retry("again"), .behind, .behind])
        #expect(b == [.delivered, .delivered, .reject("never"), .delivered, .delivered])
        #expect(outcomes[10] == .reject("refused"))
        #expect(!server.requests.flatMap(Self.lines).contains { $0 == "a=3" || $0 == "a=4" })
    }

    @Test func oneAnswerThatAllIsDownEndsTheBatch() async throws {
        let latch = Latch()
        let count = Atomic(0)
        let server = try HTTPServer { _ in
            // The others are under way when the first is answered.
            if count.add(1, ordering: .relaxed).newValue < 3 { return .held(latch, status: 200) }
            return .status(503)
        }
        defer { server.stop() }
        var configuration = HTTPConfiguration.patient
        configuration.requestsPerHost = 3
        let client = try HTTPClient(configuration)
        let batch = Self.batch((0..<100).map { (key: nil, text: "\($0)") })
        let outcomes = try await withClient(client) {
            async let outcomes = client.deliver(batch, by: LineService(url: server.url, most: 1))
            try await eventually("three are under way") { server.requests.count >= 3 }
            latch.open()
            return try await outcomes
        }
        #expect(outcomes.count == 100)
        #expect(outcomes.filter { $0 == .unavailable("down") }.count >= 98)
        // What waited for its turn was not sent.
        #expect(server.requests.count < 10)
    }

    @Test func aCancelledDeliveryReturnsAndItsRequestsEnd() async throws {
        let latch = Latch()
        let server = try HTTPServer { _ in .held(latch, status: 200) }
        defer { server.stop() }
        let client = try HTTPClient(.patient)
        let batch = Self.batch((0..<20).map { (key: nil, text: "\($0)") })
        try await withClient(client) {
            let task = Task { try await client.deliver(batch, by: LineService(url: server.url, most: 1)) }
            try await eventually("all are under way") { server.requests.count == 20 }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            // Closing waits for what is under way: for nothing, then.
            await client.close()
            latch.open()
        }
    }

    @Test func whatComesAfterTheEndIsUnavailable() async throws {
        let server = try HTTPServer { Self.answers($0) { _ in "ok" } }
        defer { server.stop() }
        let client = try HTTPClient(.patient)
        try await withClient(client) {}
        let outcomes = try await client.deliver(
            Self.batch([(key: nil, text: "late")]), by: LineService(url: server.url, most: 1))
        #expect(outcomes == [.unavailable("the transport is closed")])
    }
}
