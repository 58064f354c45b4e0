import OutboxHTTP
import OutboxRuntime
import Synchronization
import TestSupport

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A server of HTTP/1.1 on this machine that does what a closure says for each request, well or badly. A thread a connection.
final class HTTPServer: Sendable {
    struct Request: Sendable {
        let method: String
        let target: String
        let headers: [String: String]
        let body: [UInt8]
    }

    struct NoThread: Error {}

    enum Answer: Sendable {
        case status(Int, headers: [String] = [], body: [UInt8] = [])
        /// These bytes, then the end of the connection, in good order or by a reset.
        case bytes(String, reset: Bool = false)
        /// Nothing, until the latch is open.
        case held(Latch, status: Int)
        /// Nothing, and the connection stays.
        case silence
    }

    private struct State {
        var requests: [Request] = []
        var connections = 0
        var underWay = 0
        var mostUnderWay = 0
        var sockets: Set<CInt> = []
        var isClosed = false
    }

    let port: UInt16
    private let listener: SilentPort
    private let state = Mutex(State())
    private let answer: @Sendable (Request) -> Answer

    init(_ answer: @escaping @Sendable (Request) -> Answer) throws {
        self.listener = try SilentPort()
        self.port = self.listener.port
        self.answer = answer
        let descriptor = self.listener.descriptor
        let isRunning = DedicatedThread.start { [weak self] in
            while true {
                let socket = accept(descriptor, nil, nil)
                if socket < 0 { return }
                guard let self, self.add(socket) else {
                    close(socket)
                    return
                }
                if !DedicatedThread.start({ self.serve(socket) }) { close(socket) }
            }
        }
        if !isRunning { throw NoThread() }
    }

    /// Ends all connections; no further one is accepted.
    func stop() {
        self.state.withLock { state in
            state.isClosed = true
            for socket in state.sockets { shutdown(socket, CInt(SHUT_RDWR)) }
        }
        shutdown(self.listener.descriptor, CInt(SHUT_RDWR))
    }

    var url: String { "http://127.0.0.1:\(self.port)" }
    var requests: [Request] { self.state.withLock(\.requests) }
    var connections: Int { self.state.withLock(\.connections) }
    /// The most requests that it had at the same time.
    var mostUnderWay: Int { self.state.withLock(\.mostUnderWay) }

    private func add(_ socket: CInt) -> Bool {
        self.state.withLock { state in
            if state.isClosed { return false }
            state.connections += 1
            state.sockets.insert(socket)
            return true
        }
    }

    private func serve(_ socket: CInt) {
        defer {
            self.state.withLock { _ = $0.sockets.remove(socket) }
            close(socket)
        }
        var buffer: [UInt8] = []
        while let request = Self.read(socket, &buffer) {
            self.state.withLock { state in
                state.requests.append(request)
                state.underWay += 1
                state.mostUnderWay = max(state.mostUnderWay, state.underWay)
            }
            let answer = self.answer(request)
            if case .held(let latch, _) = answer { Self.wait(for: latch) }
            self.state.withLock { $0.underWay -= 1 }
            if !Self.give(answer, to: socket) { return }
        }
    }

    private static func wait(for latch: Latch) {
        // A thread of its own may wait.
        while !latch.isOpen { usleep(200) }
    }

    /// - Returns: Whether the connection goes on.
    private static func give(_ answer: Answer, to socket: CInt) -> Bool {
        switch answer {
        case .status(let status, let headers, let body):
            let lines = ["HTTP/1.1 \(status) Text", "Content-Length: \(body.count)"] + headers
            return self.write(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body, to: socket)
        case .held(_, let status):
            return self.write(Array("HTTP/1.1 \(status) Text\r\nContent-Length: 0\r\n\r\n".utf8), to: socket)
        case .bytes(let text, let isReset):
            _ = self.write(Array(text.utf8), to: socket)
            if isReset {
                var now = linger(l_onoff: 1, l_linger: 0)
                unsafe _ = setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
            }
            return false
        case .silence:
            return true
        }
    }

    private static func write(_ bytes: [UInt8], to socket: CInt) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe send(socket, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// - Returns: nil: no further request comes.
    private static func read(_ socket: CInt, _ buffer: inout [UInt8]) -> Request? {
        var end = self.endOfHead(buffer)
        while end == nil {
            guard self.readMore(socket, &buffer) else { return nil }
            end = self.endOfHead(buffer)
        }
        let lines = String(decoding: buffer[..<end!], as: UTF8.self).split(separator: "\r\n").map(String.init)
        let words = lines[0].split(separator: " ").map(String.init)
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let halves = line.split(separator: ":", maxSplits: 1).map(String.init)
            headers[halves[0].lowercased()] = halves.count == 2 ? String(halves[1].drop { $0 == " " }) : ""
        }
        let length = headers["content-length"].flatMap(Int.init) ?? 0
        while buffer.count < end! + 4 + length {
            guard self.readMore(socket, &buffer) else { return nil }
        }
        let body = Array(buffer[(end! + 4)..<(end! + 4 + length)])
        buffer.removeFirst(end! + 4 + length)
        return Request(method: words[0], target: words[1], headers: headers, body: body)
    }

    private static func endOfHead(_ buffer: [UInt8]) -> Int? {
        buffer.firstRange(of: Array("\r\n\r\n".utf8))?.lowerBound
    }

    private static func readMore(_ socket: CInt, _ buffer: inout [UInt8]) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = unsafe recv(socket, &bytes, bytes.count, 0)
        if count <= 0 { return false }
        buffer.append(contentsOf: bytes.prefix(count))
        return true
    }
}

extension HTTPConfiguration {
    /// One that waits for longer than a busy machine takes for anything.
    static var patient: HTTPConfiguration {
        var configuration = HTTPConfiguration()
        configuration.timeout = .seconds(86_400)
        configuration.idleTimeout = .seconds(86_400)
        return configuration
    }
}

/// Runs a closure with a client that runs, and closes it.
func withClient<Result: Sendable>(
    _ client: HTTPClient, _ body: @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await client.run() }
        defer { group.cancelAll() }
        let result = try await body()
        await client.close()
        try await group.waitForAll()
        return result
    }
}
