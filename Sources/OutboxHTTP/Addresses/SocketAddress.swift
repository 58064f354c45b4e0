#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What a socket is connected to: an address of IPv4 or IPv6, and a port.
package struct SocketAddress: Sendable, Hashable, CustomStringConvertible {
    package let address: IPAddress
    package let port: UInt16

    package init(_ address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// Copies the address that a system call or a C library has.
    ///
    /// - Parameter bytes: A `sockaddr`, of any alignment, with what is behind it.
    /// - Returns: nil: it is one of another family, such as a Unix socket.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= MemoryLayout<sockaddr>.size else { return nil }
        switch unsafe CInt(bytes.loadUnaligned(as: sockaddr.self).sa_family) {
        case AF_INET where bytes.count >= MemoryLayout<sockaddr_in>.size:
            let address = unsafe bytes.loadUnaligned(as: sockaddr_in.self)
            self.address = IPAddress(ipv4: UInt32(bigEndian: address.sin_addr.s_addr))
            self.port = UInt16(bigEndian: address.sin_port)
        case AF_INET6 where bytes.count >= MemoryLayout<sockaddr_in6>.size:
            let address = unsafe bytes.loadUnaligned(as: sockaddr_in6.self)
            let value = unsafe withUnsafeBytes(of: address.sin6_addr) { bytes in
                unsafe bytes.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
            }
            self.address = IPAddress(ipv6: value)
            self.port = UInt16(bigEndian: address.sin6_port)
        default:
            return nil
        }
    }

    /// The kind of network it belongs to.
    package var classification: AddressClass { self.address.classification }

    /// The address and the port.
    package var description: String {
        self.address.isIPv6 ? "[\(self.address)]:\(self.port)" : "\(self.address):\(self.port)"
    }
}
