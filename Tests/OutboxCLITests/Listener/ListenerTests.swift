import Foundation
import Logging
import TestSupport
import Testing

@testable import Outbox
@testable import OutboxCLI

/// The listener against clients that misbehave, by raw sockets.
@Suite(.timeLimit(.minutes(5))) struct ListenerTests {
    /// Helps that the scripts have: `talk` sends something and reads until the other side closes.
    private static let client = """
        import socket, sys
        port = int(sys.argv[1])
        def connect():
            s = socket.create_connection(("127.0.0.1", port))
            s.settimeout(60)
            return s
        def rest(s):
            data = b""
            try:
                while True:
                    part = s.recv(65536)
                    if not part: return data
                    data += part
            except ConnectionResetError:
                return data
        def talk(data, s=None):
            s = s or connect()
            try:
                s.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return rest(s)
        def status(data): return data.split(b"\\r\\n")[0].decode() or "closed"
        def get(path, *fields, method="GET"):
            lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *fields]
            return talk("\\r\\n".join(lines + ["", ""]).encode())

        """

    /// Short ones, for clients of which nothing is expected but that they are let go.
    private static var impatient: ListenerLimits {
        var limits = ListenerLimits()
        limits.connections = 4
        limits.firstRequest = .seconds(3)
        limits.nextRequest = .seconds(1)
        limits.answer = .seconds(5)
        limits.linger = .milliseconds(200)
        return limits
    }

    /// The lines that a script in Python prints which talks to a listener.
    private func lines(
        _ script: String, limits: ListenerLimits = ListenerLimits(), metrics: [UInt8] = Array("m 1\n".utf8)
    ) async throws -> [String] {
        let listener = Listener(
            address: try ListenAddress("127.0.0.1:0"), logger: LogLines(from: .critical).logger, limits: limits)
        let pages = ListenerPages {
            RelayHealth(state: RelayState(phase: .delivering, since: Date()), isEnding: false, streamCount: 1)
        } metrics: { _ in
            metrics
        }
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            defer { tasks.cancelAll() }
            tasks.addTask { await listener.run(pages) }
            let address = try await listener.started()
            let ending = try await Program.shell(
                "printf '%s' \"$script\" | python3 - \(address.port)", ["script": Self.client + script])
            #expect(ending.status == 0, "\(ending.error)")
            return ending.lines
        }
    }

    @Test func onlyThePagesThatThereAreCanBeGot() async throws {
        let lines = try await self.lines(
            """
            print(status(get("/livez")), status(get("/readyz?x")), status(get("/metrics")))
            for path in ["/", "/livez/", "/LIVEZ", "/metrics/../etc/passwd", "//metrics", "/%2e%2e/x", "/debug"]:
                print(status(get(path)))
            for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW"]:
                answer = get("/metrics", method=method)
                print(status(answer), b"Allow: GET, HEAD" in answer)
            head = get("/metrics", method="HEAD")
            print(status(head), b"Content-Length: 4\\r\\n" in head, head.endswith(b"\\r\\n\\r\\n"))
            for path in ["/livez", "/readyz", "/metrics", "/nothing"]:
                answer = get(path)
                print(b"X-Content-Type-Options: nosniff" in answer and b"Cache-Control: no-store" in answer)
            print(b"Content-Type: application/json" in get("/readyz?format=json"))
            print(b"Content-Type: application/json" in get("/readyz", "Accept: text/html", "Accept: application/json"))
            print(b"openmetrics-text; version=1.0.0" in get("/metrics", "Accept: application/openmetrics-text"))
            """)
        #expect(lines.first == "HTTP/1.1 200 OK HTTP/1.1 200 OK HTTP/1.1 200 OK")
        #expect(lines.dropFirst().prefix(7).allSatisfy { $0 == "HTTP/1.1 404 Not Found" }, "\(lines)")
        // The last one is no method that the parser knows.
        #expect(lines[8..<14].allSatisfy { $0 == "HTTP/1.1 405 Method Not Allowed True" }, "\(lines)")
        #expect(lines[14].hasPrefix("HTTP/1.1 400"), "\(lines)")
        #expect(lines[15] == "HTTP/1.1 200 OK True True", "\(lines)")
        #expect(lines[16...].count == 7 && lines[16...].allSatisfy { $0 == "True" }, "\(lines)")
    }

    /// What is not read holds nothing up, and the answer is seen.
    @Test func aBodyIsRefused() async throws {
        let lines = try await self.lines(
            """
            print(status(talk(b"GET /livez HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 5\\r\\n\\r\\n")))
            print(status(talk(b"POST /metrics HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n1\\r\\nx\\r\\n")))
            print(status(talk(b"PUT /metrics HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 300000\\r\\n\\r\\n" + b"x" * 300000)))
            print(status(talk(b"GET /livez HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")))
            """)
        #expect(
            lines == [String](repeating: "HTTP/1.1 413 Payload Too Large", count: 3) + ["HTTP/1.1 200 OK"])
    }

    @Test func aHeadHasLimits() async throws {
        let lines = try await self.lines(
            """
            print(status(get("/livez", "X: " + "x" * 20000)))
            print(status(get("/livez", *[f"X-{n}: {'x' * 1000}" for n in range(30)])))
            print(status(get("/livez", *[f"X-{n}: x" for n in range(200)])))
            print(status(get("/" + "x" * 200000)))
            print(status(talk(bytes.fromhex("16030100a5010000a10303"))))
            print(status(talk(b"GET /livez HTTP/9.9\\r\\n\\r\\n")))
            print(status(talk(b"\\0" * 100)))
            print(status(get("/livez", "X: " + "x" * 2000)))
            """)
        #expect(lines.count == 8 && lines.last == "HTTP/1.1 200 OK")
        #expect(lines.dropLast().allSatisfy { !$0.contains(" 200 ") }, "\(lines)")
    }

    @Test func aClientThatSendsHalfARequestIsLetGo() async throws {
        let lines = try await self.lines(
            """
            print(status(talk(b"GET /livez HTTP/1.1\\r\\nHost: x\\r\\n")))
            print(status(talk(b"")))
            # One request, then silence.
            print(status(talk(b"GET /livez HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")))
            # A line now and then is no request.
            s = connect()
            s.settimeout(0.05)
            ended = ""
            try:
                s.sendall(b"GET /livez HTTP/1.1\\r\\n")
                while not ended:
                    try:
                        s.sendall(b"X: y\\r\\n")
                        if not s.recv(100): ended = "closed"
                    except TimeoutError:
                        pass
            except (BrokenPipeError, ConnectionResetError):
                ended = "closed"
            print(ended)
            """, limits: Self.impatient)
        #expect(lines == ["closed", "closed", "HTTP/1.1 200 OK", "closed"])
    }

    /// More than there may be wait, until those that say nothing are let go.
    @Test func clientsThatSayNothingDoNotLockOthersOut() async throws {
        let lines = try await self.lines(
            """
            silent = [connect() for _ in range(12)]
            print(status(get("/livez")))
            print([rest(s) for s in silent] == [b""] * 12)
            """, limits: Self.impatient)
        #expect(lines == ["HTTP/1.1 200 OK", "True"])
    }

    @Test func aClientThatTakesNoAnswerIsLetGo() async throws {
        var limits = Self.impatient
        limits.connections = 1
        let lines = try await self.lines(
            """
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.settimeout(60)
            s.connect(("127.0.0.1", port))
            s.sendall(b"GET /metrics HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
            # It is the only connection that there may be: another one is served when it is gone.
            print(status(get("/livez")))
            print(len(rest(s)) < 50000000)
            """, limits: limits, metrics: [UInt8](repeating: 0x61, count: 50_000_000))
        #expect(lines == ["HTTP/1.1 200 OK", "True"])
    }

    @Test func requestsThatComeTogetherAreAnsweredInTurn() async throws {
        let lines = try await self.lines(
            """
            answer = talk((b"GET /livez HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" * 20)
                + b"GET /metrics HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
            print(answer.count(b"HTTP/1.1 200 OK"), answer.endswith(b"m 1\\n"))
            """)
        #expect(lines == ["21 True"])
    }

    @Test func anAddressThatIsTakenIsSaid() async throws {
        let first = Listener(address: try ListenAddress(":0"), logger: LogLines(from: .critical).logger)
        let pages = ListenerPages {
            RelayHealth(state: RelayState(phase: .starting, since: Date()), isEnding: false, streamCount: 0)
        } metrics: { _ in
            []
        }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            defer { tasks.cancelAll() }
            tasks.addTask { await first.run(pages) }
            let address = try await first.started()
            let second = Listener(address: address, logger: LogLines(from: .critical).logger)
            tasks.addTask { await second.run(pages) }
            let failure = await #expect(throws: CommandFailure.self) { try await second.started() }
            #expect(failure?.message == "--listen: the address \(address) is in use" && failure?.status == .unavailable)
        }
    }
}
