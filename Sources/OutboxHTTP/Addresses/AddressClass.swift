/// What kind of network an address belongs to, as the registries of special addresses have it (RFC 6890 and those after it).
package enum AddressClass: String, Sendable, Hashable, CaseIterable {
    /// Of the Internet: the only one that a guarded client connects to.
    case global
    /// The machine itself.
    case loopback
    /// Private networks (RFC 1918), and NAT64 of one's own network.
    case privateUse = "private"
    /// Shared by a provider's customers (RFC 6598).
    case carrierGradeNAT = "carrier-grade NAT"
    /// Neighbours on the same link.
    case linkLocal = "link-local"
    /// Where a cloud hands a machine its credentials.
    case metadata = "a metadata service"
    /// IPv6's private networks (RFC 4193), and those before them (site-local).
    case uniqueLocal = "unique local"
    case multicast
    case broadcast
    /// No address, which systems take as their own.
    case unspecified
    /// For measurements (RFC 2544).
    case benchmarking
    case documentation
    /// Not in use, or not for what has an address of its own.
    case reserved
}

extension IPAddress {
    /// The kind of network. An IPv6 address that has an IPv4 address in it belongs to that one's network, because a translator or a
    /// tunnel leads there.
    package var classification: AddressClass {
        if let known = Self.known.first(where: { $0.block.contains(self) }) { return known.kind }
        if let inner = self.embedded.map(\.classification).first(where: { $0 != .global }) { return inner }
        if !self.isIPv6 || self.isTranslated { return .global }
        // What is outside was given to no network yet.
        return Self.globalUnicast.contains(self) ? .global : .reserved
    }

    /// A more special block stands before the one that it is in.
    private static let known: [(block: AddressBlock, kind: AddressClass)] = [
        (AddressBlock("169.254.169.254", 32), .metadata),
        // ECS hands its tasks their credentials here.
        (AddressBlock("169.254.170.2", 32), .metadata),
        // Azure's: it looks like any other address.
        (AddressBlock("168.63.129.16", 32), .metadata),
        (AddressBlock("100.100.100.200", 32), .metadata),
        (AddressBlock("192.0.0.192", 32), .metadata),
        (AddressBlock("255.255.255.255", 32), .broadcast),
        (AddressBlock("0.0.0.0", 8), .unspecified),
        (AddressBlock("10.0.0.0", 8), .privateUse),
        (AddressBlock("100.64.0.0", 10), .carrierGradeNAT),
        (AddressBlock("127.0.0.0", 8), .loopback),
        (AddressBlock("169.254.0.0", 16), .linkLocal),
        (AddressBlock("172.16.0.0", 12), .privateUse),
        (AddressBlock("192.0.0.0", 24), .reserved),
        (AddressBlock("192.0.2.0", 24), .documentation),
        (AddressBlock("192.88.99.0", 24), .reserved),
        (AddressBlock("192.168.0.0", 16), .privateUse),
        (AddressBlock("198.18.0.0", 15), .benchmarking),
        (AddressBlock("198.51.100.0", 24), .documentation),
        (AddressBlock("203.0.113.0", 24), .documentation),
        (AddressBlock("224.0.0.0", 4), .multicast),
        (AddressBlock("240.0.0.0", 4), .reserved),

        (AddressBlock("fd00:ec2::254", 128), .metadata),
        (AddressBlock("fd20:ce::254", 128), .metadata),
        (AddressBlock("::", 128), .unspecified),
        (AddressBlock("::1", 128), .loopback),
        (AddressBlock("64:ff9b:1::", 48), .privateUse),
        (AddressBlock("100::", 64), .reserved),
        (AddressBlock("2001:2::", 48), .benchmarking),
        (AddressBlock("2001:10::", 28), .reserved),
        (AddressBlock("2001:20::", 28), .reserved),
        (AddressBlock("2001:db8::", 32), .documentation),
        (AddressBlock("3fff::", 20), .documentation),
        (AddressBlock("fc00::", 7), .uniqueLocal),
        (AddressBlock("fe80::", 10), .linkLocal),
        (AddressBlock("fec0::", 10), .uniqueLocal),
        (AddressBlock("ff00::", 8), .multicast),
    ]

    private static let globalUnicast = AddressBlock("2000::", 3)
    private static let translated = AddressBlock("64:ff9b::", 96)
    private static let compatible = AddressBlock("::", 96)
    /// `::ffff:0:192.0.2.1` of SIIT (RFC 2765).
    private static let statelessTranslated = AddressBlock("::ffff:0:0:0", 96)
    private static let sixToFour = AddressBlock("2002::", 16)
    private static let teredo = AddressBlock("2001::", 32)

    /// Whether a NAT64 makes an IPv4 address of it.
    private var isTranslated: Bool { Self.translated.contains(self) }

    /// The IPv4 addresses in an IPv6 address, by every way that standards have for it.
    private var embedded: [IPAddress] {
        guard self.isIPv6 else { return [] }
        func part(_ shift: Int) -> UInt32 { UInt32(truncatingIfNeeded: self.value >> shift) }
        if self.isTranslated || Self.compatible.contains(self) || Self.statelessTranslated.contains(self) {
            return [IPAddress(ipv4: part(0))]
        }
        if Self.sixToFour.contains(self) { return [IPAddress(ipv4: part(80))] }
        // The server, and the client's address with all bits turned (RFC 4380).
        if Self.teredo.contains(self) { return [IPAddress(ipv4: part(64)), IPAddress(ipv4: ~part(0))] }
        // ISATAP (RFC 5214).
        if part(32) & ~0x0200_0000 == 0x5efe { return [IPAddress(ipv4: part(0))] }
        return []
    }
}
