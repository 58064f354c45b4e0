package import OutboxRuntime
import Synchronization

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A server of HTTP/1.1 on this machine that answers as a closure says, well or badly. It keeps what it was sent, can be stopped and started again on
/// its port, and its connections can be cut. A thread a connection.
package final class HTTPServer: Sendable {
    package struct Request: Sendable {
        package let method: String
        package let target: String
        /// By name in small letters.
        package let headers: [String: String]
        package let body: [UInt8]

        package var text: String { String(decoding: self.body, as: UTF8.self) }
    }

    package enum Answer: Sendable {
        case status(Int, headers: [String] = [], body: [UInt8] = [])
        /// These bytes, then the end of the connection, in good order or by a reset.
        case bytes(String, reset: Bool = false)
        /// Nothing before the latch is open.
        case held(Latch, status: Int = 204)
        /// Nothing, and the connection stays.
        case silence

        package static let accepted = Answer.status(204)
    }

    package struct Failure: Error {}

    private struct State {
        var listener: CInt = -1
        var sockets: Set<CInt> = []
        var requests: [Request] = []
        var accepted: [Request] = []
        var connections = 0
        var underWay = 0
        var mostUnderWay = 0
    }

    private let state = Mutex(State())
    private let answer: @Sendable (Request) -> Answer
    private let number: UInt32
    /// Keeps the port while the server is stopped.
    private let holder: CInt
    package let port: UInt16

    /// - Parameters:
    ///   - number: The last part of its address, 127.0.0.1 and so on.
    ///   - port: nil: any that is free.
    package init(
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

    package var host: String { "127.0.0.\(self.number)" }
    package var url: String { "http://\(self.host):\(self.port)" }
    /// All that have come, whatever they were answered.
    package var requests: [Request] { self.state.withLock(\.requests) }
    /// Those that were answered with a status from 200 to 299, in the order of arrival.
    package var accepted: [Request] { self.state.withLock(\.accepted) }
    package var connections: Int { self.state.withLock(\.connections) }
    /// The most requests that it had at the same time.
    package var mostUnderWay: Int { self.state.withLock(\.mostUnderWay) }

    /// Accepts connections again, on the same port.
    package func start() throws {
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
    package func stop() {
        self.cut()
        let listener = self.state.withLock { state in
            defer { state.listener = -1 }
            return state.listener
        }
        if listener >= 0 { shutdown(listener, CInt(SHUT_RDWR)) }
    }

    /// Ends all connections.
    package func cut() {
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
        var input = HTTPRequestReader(socket)
        while let request = input.next() {
            self.state.withLock { state in
                state.requests.append(request)
                state.underWay += 1
                state.mostUnderWay = max(state.mostUnderWay, state.underWay)
            }
            let answer = self.answer(request)
            // A thread of its own may wait.
            if case .held(let latch, _) = answer { while !latch.isOpen { usleep(200) } }
            self.state.withLock { state in
                state.underWay -= 1
                if answer.isAcceptance { state.accepted.append(request) }
            }
            if !answer.give(to: socket) { return }
        }
    }
}

extension HTTPServer.Answer {
    /// Whether it is a status from 200 to 299.
    fileprivate var isAcceptance: Bool {
        switch self {
        case .status(let status, _, _), .held(_, let status): (200..<300).contains(status)
        case .bytes, .silence: false
        }
    }

    /// - Returns: Whether the connection goes on.
    fileprivate func give(to socket: CInt) -> Bool {
        switch self {
        case .status(let status, let headers, let body):
            let lines = ["HTTP/1.1 \(status) Text", "Content-Length: \(body.count)"] + headers
            return Self.write(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body, to: socket)
        case .held(_, let status):
            return Self.status(status).give(to: socket)
        case .bytes(let text, let isReset):
            _ = Self.write(Array(text.utf8), to: socket)
            if isReset {
                var now = linger(l_onoff: 1, l_linger: 0)
                unsafe setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
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
}
