import OutboxRuntime
import Synchronization

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A receiver of webhooks on this machine, over HTTP/1.1, that answers as a closure says, well or badly. It keeps what it has accepted,
/// can be stopped and started again on its port, and its connections can be cut. A thread a connection.
final class WebhookReceiver: Sendable {
    struct Request: Sendable {
        let method: String
        let target: String
        /// By name in small letters.
        let headers: [String: String]
        let body: [UInt8]

        var text: String { String(decoding: self.body, as: UTF8.self) }
        var id: String { self.headers["webhook-id"] ?? "" }
    }

    enum Answer: Sendable {
        case status(Int, headers: [String] = [], body: [UInt8] = [])
        /// These bytes, then the end of the connection, in good order or by a reset.
        case bytes(String, reset: Bool = false)
        /// Nothing before the latch is open.
        case held(Latch, status: Int = 204)

        static let accepted = Answer.status(204)
    }

    struct Failure: Error {}

    private struct State {
        var listener: CInt = -1
        var sockets: Set<CInt> = []
        var requests: [Request] = []
        var accepted: [Request] = []
        var connections = 0
    }

    private let state = Mutex(State())
    private let answer: @Sendable (Request) -> Answer
    private let number: UInt32
    /// Keeps the port while the receiver is stopped.
    private let holder: CInt
    let port: UInt16

    /// - Parameters:
    ///   - number: The last part of its address, 127.0.0.1 and so on.
    ///   - port: nil: any that is free.
    init(
        number: UInt32 = 1, port: UInt16? = nil, _ answer: @escaping @Sendable (Request) -> Answer = { _ in .accepted }
    ) throws {
        self.answer = answer
        self.number = number
        (self.holder, self.port) = try Self.boundSocket(number, port ?? 0)
        try self.start()
    }

    deinit {
        self.stop()
        close(self.holder)
    }

    var host: String { "127.0.0.\(self.number)" }
    var url: String { "http://\(self.host):\(self.port)" }
    /// All that have come, whatever they were answered.
    var requests: [Request] { self.state.withLock(\.requests) }
    /// Those that were answered with a status from 200 to 299, in the order of arrival.
    var accepted: [Request] { self.state.withLock(\.accepted) }
    var connections: Int { self.state.withLock(\.connections) }

    /// Accepts connections again, on the same port.
    func start() throws {
        let listener = try self.openListener()
        let isRunning = DedicatedThread.start { [weak self] in
            while true {
                let socket = accept(listener, nil, nil)
                if socket < 0 { break }
                guard let self, self.add(socket, of: listener) else {
                    close(socket)
                    continue
                }
                if !DedicatedThread.start({ self.serve(socket) }) { self.remove(socket) }
            }
            close(listener)
        }
        if !isRunning { throw Failure() }
    }

    /// Ends all connections, and accepts no further one.
    func stop() {
        self.cut()
        let listener = self.state.withLock { state in
            defer { state.listener = -1 }
            return state.listener
        }
        if listener >= 0 { shutdown(listener, CInt(SHUT_RDWR)) }
    }

    /// Ends all connections.
    func cut() {
        self.state.withLock { state in
            for socket in state.sockets { shutdown(socket, CInt(SHUT_RDWR)) }
        }
    }

    private func openListener() throws -> CInt {
        let (listener, _) = try Self.boundSocket(self.number, self.port)
        guard listen(listener, 256) == 0 else {
            close(listener)
            throw Failure()
        }
        self.state.withLock { $0.listener = listener }
        return listener
    }

    private static func boundSocket(_ number: UInt32, _ port: UInt16) throws -> (socket: CInt, port: UInt16) {
        #if canImport(Darwin)
        let descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #else
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        #endif
        var yes: CInt = 1
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<CInt>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = (UInt32(0x7f00_0000) + number).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
            }
        }
        guard isBound else {
            close(descriptor)
            throw Failure()
        }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    private func add(_ socket: CInt, of listener: CInt) -> Bool {
        self.state.withLock { state in
            if state.listener != listener { return false }
            state.connections += 1
            state.sockets.insert(socket)
            return true
        }
    }

    private func remove(_ socket: CInt) {
        self.state.withLock { state in
            state.sockets.remove(socket)
            close(socket)
        }
    }

    private func serve(_ socket: CInt) {
        defer { self.remove(socket) }
        var input = RequestReader(socket)
        while let request = input.next() {
            self.state.withLock { $0.requests.append(request) }
            let answer = self.answer(request)
            switch answer {
            case .status(let status, let headers, let body):
                if (200..<300).contains(status) { self.state.withLock { $0.accepted.append(request) } }
                let lines = ["HTTP/1.1 \(status) Text", "Content-Length: \(body.count)"] + headers
                let head = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
                if !RequestReader.write(head + body, to: socket) { return }
            case .held(let latch, let status):
                while !latch.isOpen { usleep(200) }
                if (200..<300).contains(status) { self.state.withLock { $0.accepted.append(request) } }
                if !RequestReader.write(Array("HTTP/1.1 \(status) Text\r\nContent-Length: 0\r\n\r\n".utf8), to: socket)
                {
                    return
                }
            case .bytes(let text, let isReset):
                _ = RequestReader.write(Array(text.utf8), to: socket)
                if isReset {
                    var now = linger(l_onoff: 1, l_linger: 0)
                    unsafe setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
                }
                return
            }
        }
    }
}

/// Reads requests from a connection.
private struct RequestReader {
    private let socket: CInt
    private var buffer: [UInt8] = []

    init(_ socket: CInt) { self.socket = socket }

    /// - Returns: nil: no further one comes.
    mutating func next() -> WebhookReceiver.Request? {
        var end = self.endOfHead
        while end == nil {
            guard self.readMore() else { return nil }
            end = self.endOfHead
        }
        guard let end else { return nil }
        let lines = String(decoding: self.buffer[..<end], as: UTF8.self).split(separator: "\r\n").map(String.init)
        let words = lines[0].split(separator: " ").map(String.init)
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let halves = line.split(separator: ":", maxSplits: 1).map(String.init)
            headers[halves[0].lowercased()] = halves.count == 2 ? String(halves[1].drop { $0 == " " }) : ""
        }
        let length = headers["content-length"].flatMap(Int.init) ?? 0
        while self.buffer.count < end + 4 + length {
            guard self.readMore() else { return nil }
        }
        let body = Array(self.buffer[(end + 4)..<(end + 4 + length)])
        self.buffer.removeFirst(end + 4 + length)
        return WebhookReceiver.Request(method: words[0], target: words[1], headers: headers, body: body)
    }

    private var endOfHead: Int? { self.buffer.firstRange(of: Array("\r\n\r\n".utf8))?.lowerBound }

    private mutating func readMore() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = unsafe recv(self.socket, &bytes, bytes.count, 0)
        if count <= 0 { return false }
        self.buffer.append(contentsOf: bytes.prefix(count))
        return true
    }

    static func write(_ bytes: [UInt8], to socket: CInt) -> Bool {
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
}
