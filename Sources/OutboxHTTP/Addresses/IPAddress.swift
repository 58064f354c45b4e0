#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// An address of IPv4 or IPv6. An IPv4 address that is mapped into IPv6 (`::ffff:10.0.0.1`) is the IPv4 address: a socket connects to that.
package struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    /// The address as a number, IPv4 in its lowest 32 bits.
    package let value: UInt128
    /// Whether it is one of IPv6.
    package let isIPv6: Bool

    package init(ipv4 value: UInt32) {
        self.value = UInt128(value)
        self.isIPv6 = false
    }

    package init(ipv6 value: UInt128) {
        let isMapped = value >> 32 == 0xffff
        self.value = isMapped ? value & 0xffff_ffff : value
        self.isIPv6 = !isMapped
    }

    /// Reads an address: `192.0.2.1`, `2001:db8::1`, without brackets and zone.
    ///
    /// - Returns: nil: it is none. Short and octal forms (`127.1`, `0x7f.0.0.1`) are none either.
    package init?(_ text: String) {
        var bytes = [UInt8](repeating: 0, count: 16)
        if unsafe inet_pton(AF_INET, text, &bytes) == 1 {
            self.init(ipv4: bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) })
        } else if unsafe inet_pton(AF_INET6, text, &bytes) == 1 {
            self.init(ipv6: bytes.reduce(0) { $0 << 8 | UInt128($1) })
        } else {
            return nil
        }
    }

    /// How many bits it has.
    package var width: Int { self.isIPv6 ? 128 : 32 }

    /// The usual text.
    package var description: String {
        var bytes = (0..<self.width / 8).reversed().map { UInt8(truncatingIfNeeded: self.value >> ($0 * 8)) }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = self.isIPv6 ? AF_INET6 : AF_INET
        guard unsafe inet_ntop(family, &bytes, &text, socklen_t(text.count)) != nil else { return "?" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// The addresses that begin with the same bits: `10.0.0.0/8`.
package struct AddressBlock: Sendable, Hashable, CustomStringConvertible {
    package let first: IPAddress
    package let prefixLength: Int

    /// - Precondition: The address has that many bits, and none is set behind them.
    package init(_ first: IPAddress, prefixLength: Int) {
        precondition((0...first.width).contains(prefixLength))
        self.first = first
        self.prefixLength = prefixLength
        precondition(self.base == first.value)
    }

    /// What is known to be a block.
    init(_ first: StaticString, _ prefixLength: Int) {
        guard let address = IPAddress(first.description) else { preconditionFailure("\(first)") }
        self.init(address, prefixLength: prefixLength)
    }

    private var base: UInt128 { Self.base(of: self.first, self.prefixLength) }

    /// The address with what is behind the prefix cleared.
    static func base(of address: IPAddress, _ prefixLength: Int) -> UInt128 {
        let rest = address.width - prefixLength
        return rest == 128 ? 0 : (address.value >> rest) << rest
    }

    package func contains(_ address: IPAddress) -> Bool {
        address.isIPv6 == self.first.isIPv6 && Self.base(of: address, self.prefixLength) == self.first.value
    }

    package var description: String { "\(self.first)/\(self.prefixLength)" }
}
