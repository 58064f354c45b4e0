import Foundation
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// A piece of network between a client and a server that listens on a Unix socket, which can stop to pass anything on while it
/// goes on to take what it is sent: what a dead path behind a proxy, a tunnel or a mesh looks like.
package final class FreezingProxy: Sendable {
    /// After how many bytes a connection freezes; nil: it does not.
    package struct Limits: Sendable {
        package var toServer: Int?
        package var toClient: Int?

        package init(toServer: Int? = nil, toClient: Int? = nil) {
            self.toServer = toServer
            self.toClient = toClient
        }
    }

    private final class Link: Sendable {
        let client: CInt
        let server: CInt
        /// How many bytes may still pass, and whether both directions are frozen.
        let budgets: Mutex<(toServer: Int, toClient: Int, isFrozen: Bool)>
        let passed = Mutex((toServer: 0, toClient: 0))
        let pumps = Atomic<Int>(2)

        init(client: CInt, server: CInt, limits: Limits) {
            self.client = client
            self.server = server
            self.budgets = Mutex((limits.toServer ?? .max, limits.toClient ?? .max, false))
        }

        /// How many of `count` bytes pass. A direction that has met its limit takes the other with it.
        func admit(_ count: Int, toServer: Bool) -> Int {
            let admitted = self.budgets.withLock { budgets in
                if budgets.isFrozen { return 0 }
                let admitted = min(count, toServer ? budgets.toServer : budgets.toClient)
                if toServer { budgets.toServer -= admitted } else { budgets.toClient -= admitted }
                if admitted < count { budgets.isFrozen = true }
                return admitted
            }
            self.passed.withLock { passed in
                if toServer { passed.toServer += admitted } else { passed.toClient += admitted }
            }
            return admitted
        }

        var isFrozen: Bool { self.budgets.withLock { $0.isFrozen } }

        func pump(toServer: Bool) {
            let (source, sink) = toServer ? (self.client, self.server) : (self.server, self.client)
            while let bytes = Sockets.receive(source) {
                let admitted = self.admit(bytes.count, toServer: toServer)
                if !Sockets.send(bytes.prefix(admitted), to: sink) { break }
            }
            // Behind a frozen path, one side does not learn that the other has gone.
            if !self.isFrozen { _ = shutdown(sink, CInt(SHUT_RDWR)) }
            if self.pumps.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 {
                Sockets.close(self.client)
                Sockets.close(self.server)
            }
        }

        func end() {
            if self.pumps.load(ordering: .acquiring) == 0 { return }
            _ = shutdown(self.client, CInt(SHUT_RDWR))
            _ = shutdown(self.server, CInt(SHUT_RDWR))
        }
    }

    /// The port on 127.0.0.1.
    package let port: Int
    private let target: String
    private let listener: CInt
    private let links = Mutex<[Link]>([])
    private let limits = Mutex(Limits())

    /// - Parameter target: The path of the server's socket.
    package init(to target: String) throws {
        self.target = target
        (self.listener, self.port) = try Sockets.listen()
        Thread.detachNewThread { [self] in self.run() }
    }

    /// Freezes the connections that there are.
    package func freeze() {
        for link in self.links.withLock({ $0 }) { link.budgets.withLock { $0.isFrozen = true } }
    }

    /// What limits connections have that are made from now on.
    package func limitNew(_ limits: Limits) {
        self.limits.withLock { $0 = limits }
    }

    /// Ends the connections that are frozen and lets new ones pass, as a proxy that was started again.
    package func restart() {
        self.limitNew(Limits())
        for link in self.links.withLock({ $0 }) where link.isFrozen { link.end() }
    }

    /// How many connections were made.
    package var connectionCount: Int { self.links.withLock { $0.count } }

    /// Whether a connection is frozen.
    package var hasFrozen: Bool { self.links.withLock { $0 }.contains { $0.isFrozen } }

    /// How many bytes the first connection has passed.
    package var passed: (toServer: Int, toClient: Int) {
        self.links.withLock { $0.first }?.passed.withLock { $0 } ?? (0, 0)
    }

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
            let link = Link(client: client, server: server, limits: self.limits.withLock { $0 })
            self.links.withLock { $0.append(link) }
            Thread.detachNewThread { link.pump(toServer: true) }
            Thread.detachNewThread { link.pump(toServer: false) }
        }
        Sockets.close(self.listener)
    }
}
