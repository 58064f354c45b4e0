import Foundation
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// A piece of network between a client and a Postgres that listens on a Unix socket, which can keep its clients' sockets when the server
/// goes away: it logs in again where the server was, as the client had, and the client learns nothing of that.
///
/// It follows the protocol without TLS, and logins that the server accepts without asking for anything.
package final class ReplacingProxy: Sendable {
    private final class Link: Sendable {
        private struct State {
            /// The last one is in use. None is closed before the end: a thread may still be about to use it.
            var servers: [CInt]
            /// What the server sends is dropped, and its end is not the client's.
            var isReplacing = false
            var isOver = false
            var threads = 2
            var server: CInt { self.servers[self.servers.count - 1] }
        }

        private let client: CInt
        private let target: String
        private let state: Mutex<State>
        private let login = Mutex<[UInt8]>([])

        init(client: CInt, server: CInt, target: String) {
            self.client = client
            self.target = target
            self.state = Mutex(State(servers: [server]))
        }

        func start() {
            for pass in [self.passRequests, self.passAnswers] {
                Thread.detachNewThread {
                    pass()
                    self.end()
                    self.threadEnds()
                }
            }
        }

        func replaceServer() { self.state.withLock { $0.isReplacing = true } }

        var replacements: Int { self.state.withLock { $0.servers.count - 1 } }

        func end() {
            self.state.withLock { state in
                state.isOver = true
                if state.threads == 0 { return }
                _ = shutdown(self.client, CInt(SHUT_RDWR))
                _ = shutdown(state.server, CInt(SHUT_RDWR))
            }
        }

        private func threadEnds() {
            self.state.withLock { state in
                state.threads -= 1
                if state.threads > 0 { return }
                for descriptor in [self.client] + state.servers { Sockets.close(descriptor) }
            }
        }

        private func passRequests() {
            while let bytes = Sockets.receive(self.client) {
                // The first message has its length and no type; it is sent at once.
                self.login.withLock { login in
                    if login.isEmpty { login = Array(bytes.prefix(Self.number(bytes.prefix(4)))) }
                }
                guard let server = self.server(), Sockets.send(bytes, to: server) else { return }
            }
        }

        private func passAnswers() {
            while !self.state.withLock({ $0.isOver }) {
                let bytes = Sockets.receive(self.state.withLock { $0.server })
                if self.state.withLock({ $0.isReplacing }) {
                    if bytes == nil { self.connectAgain() }
                    continue
                }
                guard let bytes, Sockets.send(bytes, to: self.client) else { return }
            }
        }

        /// The server's socket, once there is one; nil: none is wanted any more.
        private func server() -> CInt? {
            while true {
                let (server, isReplacing, isOver) = self.state.withLock { ($0.server, $0.isReplacing, $0.isOver) }
                if isOver { return nil }
                if !isReplacing { return server }
                Thread.sleep(forTimeInterval: 0.005)
            }
        }

        private func connectAgain() {
            while !self.state.withLock({ $0.isOver }) {
                if let server = Sockets.connect(to: self.target) {
                    if Sockets.send(self.login.withLock { $0 }, to: server), Self.isReady(server) {
                        self.state.withLock { state in
                            state.servers.append(server)
                            state.isReplacing = false
                        }
                        return
                    }
                    Sockets.close(server)
                }
                Thread.sleep(forTimeInterval: 0.005)
            }
        }

        /// Reads the answer to a login.
        private static func isReady(_ server: CInt) -> Bool {
            var buffer: [UInt8] = []
            while let bytes = Sockets.receive(server) {
                buffer += bytes
                while buffer.count >= 5 {
                    let length = 1 + self.number(buffer[1..<5])
                    if buffer.count < length { break }
                    if buffer[0] == UInt8(ascii: "Z") { return true }
                    if buffer[0] == UInt8(ascii: "E") { return false }
                    buffer.removeSubrange(..<length)
                }
            }
            return false
        }

        private static func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }
    }

    /// The port on 127.0.0.1.
    package let port: Int
    private let target: String
    private let listener: CInt
    private let links = Mutex<[Link]>([])

    /// - Parameter target: The path of the server's socket.
    package init(to target: String) throws {
        self.target = target
        (self.listener, self.port) = try Sockets.listen()
        Thread.detachNewThread { [self] in self.run() }
    }

    /// From now on, the connections that there are hear nothing of their server until it has gone and is there again.
    package func replaceServers() {
        for link in self.links.withLock({ $0 }) { link.replaceServer() }
    }

    /// How many connections have another session of the server than their client knows.
    package var replacements: Int { self.links.withLock { $0 }.reduce(0) { $0 + $1.replacements } }

    /// Ends all connections and takes no more.
    package func end() {
        _ = shutdown(self.listener, CInt(SHUT_RDWR))
        for link in self.links.withLock({ $0 }) { link.end() }
    }

    private func run() {
        while true {
            let client = accept(self.listener, nil, nil)
            if client < 0 { break }
            guard let server = Sockets.connect(to: self.target) else {
                Sockets.close(client)
                continue
            }
            let link = Link(client: client, server: server, target: self.target)
            self.links.withLock { $0.append(link) }
            link.start()
        }
        Sockets.close(self.listener)
    }
}
