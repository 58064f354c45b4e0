import Outbox
import OutboxRuntime
import Synchronization
import TestSupport

@testable import OutboxPostgres

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A server that lets in but never says anything.
final class SilentListener: Sendable {
    private let silent: SilentPort
    private let peer = Atomic<CInt>(-1)

    init() throws {
        self.silent = try SilentPort()
    }

    deinit {
        close(self.peer.load(ordering: .acquiring))
    }

    var port: UInt16 { self.silent.port }

    /// Returns once a client has connected.
    func accept() async {
        await withCheckedContinuation { continuation in
            let isStarted = DedicatedThread.start {
                #if canImport(Darwin)
                let peer = Darwin.accept(self.silent.descriptor, nil, nil)
                #else
                let peer = Glibc.accept(self.silent.descriptor, nil, nil)
                #endif
                self.peer.store(peer, ordering: .releasing)
                continuation.resume()
            }
            precondition(isStarted)
        }
    }
}
