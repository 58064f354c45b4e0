import Foundation
import Synchronization

/// A piece of network between relays and a Postgres, which breaks where it is told to: it follows the protocol.
final class PostgresProxy: Sendable {
    /// When in a relay's commit a connection ends.
    enum CommitCut: CaseIterable, Sendable {
        /// The server never hears of it.
        case before
        /// The server has it, and has begun or not.
        case during
        /// The server has made it durable; its answer is lost.
        case after
    }

    struct Failure: Error {}

    private struct State {
        var commitCut: CommitCut?
        /// After so many more bytes of the server's a connection is cut, wherever that is.
        var answerBytes: Int?
        var isFrozen = false
        var isOver = false
        var connections: [ObjectIdentifier: ProxiedConnection] = [:]
        var cuts = 0
    }

    let port: Int
    private let target: Int
    private let listener: CInt
    private let state = Mutex(State())

    /// - Parameter target: The port of 127.0.0.1 on which the server listens.
    init(to target: Int) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.loopback(0)
        let status = unsafe withUnsafeBytes(of: &address) { bytes in
            unsafe bind(
                listener, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress!,
                socklen_t(MemoryLayout<sockaddr_in>.size))
        }
        guard status == 0, listen(listener, 16) == 0 else { throw Failure() }
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        unsafe withUnsafeMutableBytes(of: &address) { bytes in
            unsafe _ = getsockname(listener, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress!, &length)
        }
        self.target = target
        self.listener = listener
        self.port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { self.accept() }
    }

    /// How many connections were cut as ordered.
    var cuts: Int { self.state.withLock { $0.cuts } }

    /// The next commit that goes by is cut.
    func cutNextCommit(_ moment: CommitCut) { self.state.withLock { $0.commitCut = moment } }

    /// A connection is cut when so many bytes of answers have gone by.
    func cutAnswers(after bytes: Int) { self.state.withLock { $0.answerBytes = bytes } }

    /// Whether what was ordered has not happened yet.
    var isArmed: Bool { self.state.withLock { $0.commitCut != nil || $0.answerBytes != nil } }

    func disarm() {
        self.state.withLock { state in
            state.commitCut = nil
            state.answerBytes = nil
        }
    }

    /// Passes nothing on, in either direction, while connections stay.
    func freeze() { self.state.withLock { $0.isFrozen = true } }

    func thaw() { self.state.withLock { $0.isFrozen = false } }

    /// Cuts all connections.
    func cutAll() {
        let connections = self.state.withLock { state in
            state.cuts += state.connections.count
            return Array(state.connections.values)
        }
        for connection in connections { connection.cut() }
    }

    func end() {
        self.state.withLock { state in
            state.isOver = true
            state.isFrozen = false
        }
        shutdown(self.listener, Int32(SHUT_RDWR))
        self.cutAll()
    }

    // MARK: - What its connections ask

    func takeCommitCut() -> CommitCut? {
        self.state.withLock { state in
            defer { state.commitCut = nil }
            if state.commitCut != nil { state.cuts += 1 }
            return state.commitCut
        }
    }

    /// - Returns: How many of the next bytes are still passed on before the connection is cut; nil: it is not.
    func takeAnswerCut(_ count: Int) -> Int? {
        self.state.withLock { state in
            guard let left = state.answerBytes else { return nil }
            if left > count {
                state.answerBytes = left - count
                return nil
            }
            state.answerBytes = nil
            state.cuts += 1
            return left
        }
    }

    /// Called on a connection's own threads.
    func waitWhileFrozen() {
        while self.state.withLock({ $0.isFrozen }) { Thread.sleep(forTimeInterval: 0.005) }
    }

    func forget(_ connection: ProxiedConnection) {
        self.state.withLock { _ = $0.connections.removeValue(forKey: ObjectIdentifier(connection)) }
    }

    // MARK: - Sockets

    private func accept() {
        while true {
            let client = Foundation.accept(self.listener, nil, nil)
            if client < 0 { break }
            guard let server = Self.connect(to: self.target) else {
                close(client)
                continue
            }
            for descriptor in [client, server] { Self.sendAtOnce(descriptor) }
            let connection = ProxiedConnection(client: client, server: server, proxy: self)
            let isOver = self.state.withLock { state in
                if !state.isOver { state.connections[ObjectIdentifier(connection)] = connection }
                return state.isOver
            }
            if isOver {
                close(client)
                close(server)
            } else {
                connection.start()
            }
        }
        close(self.listener)
    }

    private static func connect(to port: Int) -> CInt? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.loopback(port)
        let status = unsafe withUnsafeBytes(of: &address) { bytes in
            unsafe Foundation.connect(
                descriptor, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress!,
                socklen_t(MemoryLayout<sockaddr_in>.size))
        }
        if status == 0 { return descriptor }
        close(descriptor)
        return nil
    }

    /// Without waiting for the other side's acknowledgements.
    private static func sendAtOnce(_ descriptor: CInt) {
        var on: CInt = 1
        unsafe _ = setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<CInt>.size))
    }

    private static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
