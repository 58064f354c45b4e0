import Outbox
import Synchronization

@testable import OutboxPostgres

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A server that lets in but never says anything.
final class SilentListener: Sendable {
    struct Failure: Error {}

    let port: UInt16
    private let descriptor: CInt
    private let peer = Atomic<CInt>(-1)

    init() throws {
        #if canImport(Darwin)
        let descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #else
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        #endif
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(descriptor, address, length) == 0 && listen(descriptor, 4) == 0
                    && getsockname(descriptor, address, &length) == 0
            }
        }
        guard isBound else {
            close(descriptor)
            throw Failure()
        }
        self.descriptor = descriptor
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit {
        close(descriptor)
        close(peer.load(ordering: .acquiring))
    }

    /// Returns once somebody has connected.
    func accept() async {
        await withCheckedContinuation { continuation in
            let isStarted = DedicatedThread.start {
                #if canImport(Darwin)
                let peer = Darwin.accept(self.descriptor, nil, nil)
                #else
                let peer = Glibc.accept(self.descriptor, nil, nil)
                #endif
                self.peer.store(peer, ordering: .releasing)
                continuation.resume()
            }
            precondition(isStarted)
        }
    }
}
