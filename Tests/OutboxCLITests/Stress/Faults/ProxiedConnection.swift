import Foundation
import Synchronization

/// One connection through a ``PostgresProxy``: two sockets, and a thread for each direction.
final class ProxiedConnection: Sendable {
    private struct State {
        /// Nothing of the server's is passed on any more; the connection ends with its answer to that Sync.
        var swallowsUntil: Int?
        /// How many answers that end with ReadyForQuery the client has asked for: the first is that of the login.
        var asked = 1
        var threads = 2
    }

    private let client: CInt
    private let server: CInt
    private let proxy: PostgresProxy
    private let state = Mutex(State())

    init(client: CInt, server: CInt, proxy: PostgresProxy) {
        self.client = client
        self.server = server
        self.proxy = proxy
    }

    func start() {
        Thread.detachNewThread {
            self.passRequests()
            self.threadEnds()
        }
        Thread.detachNewThread {
            self.passAnswers()
            self.threadEnds()
        }
    }

    /// Both threads find out.
    func cut() {
        shutdown(self.client, Int32(SHUT_RDWR))
        shutdown(self.server, Int32(SHUT_RDWR))
    }

    private func threadEnds() {
        self.cut()
        let isLast = self.state.withLock { state in
            state.threads -= 1
            return state.threads == 0
        }
        if isLast {
            self.proxy.forget(self)
            close(self.client)
            close(self.server)
        }
    }

    private func passRequests() {
        var scanner = MessageScanner(isClient: true)
        var commits = false
        while let bytes = Self.receive(self.client) {
            var order: PostgresProxy.CommitCut?
            for message in scanner.take(bytes[...]) {
                // What a commit begins with, and what asks for the ownership as well.
                if message.binds("same_log") { commits = true }
                if message.binds("own") { commits = false }
                if message.type == UInt8(ascii: "S") || message.type == UInt8(ascii: "Q") {
                    let asked = self.state.withLock { state in
                        state.asked += 1
                        return state.asked
                    }
                    if commits, order == nil { order = self.proxy.takeCommitCut() }
                    if order == .after { self.state.withLock { $0.swallowsUntil = asked } }
                    commits = false
                }
            }
            self.proxy.waitWhileFrozen()
            // What came with the Sync is as lost as the Sync itself.
            if order == .before { return }
            if !Self.send(bytes, to: self.server) || order == .during { return }
        }
    }

    private func passAnswers() {
        var scanner = MessageScanner(isClient: false)
        var ready = 0
        while let bytes = Self.receive(self.server) {
            ready += scanner.take(bytes[...]).count { $0.type == UInt8(ascii: "Z") }
            self.proxy.waitWhileFrozen()
            if let end = self.state.withLock({ $0.swallowsUntil }) {
                if ready >= end { return }
                continue
            }
            if let rest = self.proxy.takeAnswerCut(bytes.count) {
                _ = Self.send(Array(bytes.prefix(rest)), to: self.client)
                return
            }
            if !Self.send(bytes, to: self.client) { return }
        }
    }

    private static func receive(_ socket: CInt) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = unsafe recv(socket, &bytes, bytes.count, 0)
        return count > 0 ? Array(bytes.prefix(count)) : nil
    }

    private static func send(_ bytes: [UInt8], to socket: CInt) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Foundation.send(socket, buffer.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }
}
