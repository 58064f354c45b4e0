import Foundation

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

extension MockKafkaCluster {
    /// Ends all connections to the brokers, which go on listening. They are ended when this returns.
    ///
    /// The brokers know no such order, and take up to a second for each of ``stop(_:)`` and ``start(_:)``; but their sockets
    /// are in this process.
    ///
    /// - Returns: How many there were.
    package func cutConnections() -> Int {
        let ports = Set(self.addresses.compactMap { $0.split(separator: ":").last.flatMap { UInt16($0) } })
        let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/dev/fd")) ?? []
        return descriptors.compactMap { Int32($0) }.count { Self.cut($0, to: ports) }
    }

    private static func cut(_ descriptor: Int32, to ports: Set<UInt16>) -> Bool {
        // The number may be another file's in a moment, its copy not.
        let copy = dup(descriptor)
        guard copy >= 0 else { return false }
        defer { _ = close(copy) }
        guard let port = unsafe self.port(of: copy, getsockname), ports.contains(port),
            unsafe self.port(of: copy, getpeername) != nil
        else { return false }
        #if canImport(Glibc)
        return shutdown(copy, Int32(SHUT_RDWR)) == 0
        #else
        return shutdown(copy, SHUT_RDWR) == 0
        #endif
    }

    /// - Returns: nil: it is no socket of IPv4, or has no such end.
    private static func port(
        of descriptor: Int32,
        _ end: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> UInt16? {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = unsafe withUnsafeMutableBytes(of: &address) { bytes in
            unsafe end(descriptor, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress!, &length)
        }
        guard status == 0, address.sin_family == sa_family_t(AF_INET) else { return nil }
        return UInt16(bigEndian: address.sin_port)
    }
}
