package import OutboxRuntime

/// An exception from ``AddressPolicy/publicOnly(except:)``: a host by its name, an address, or a block of addresses.
package struct AllowedAddress: Sendable, Hashable, CustomStringConvertible {
    private enum Kind: Hashable {
        /// In lower case, without a dot at the end.
        case host(String)
        case block(AddressBlock)
    }

    private let kind: Kind

    /// Reads an exception: `hooks.internal`, `10.1.2.3`, `[fd00::7]`, `10.0.0.0/8`, `fd00::/8`.
    ///
    /// - Throws: An ``InvalidText`` that says what is wrong.
    package init(_ text: String) throws(InvalidText) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        var first = parts[0]
        if first.hasPrefix("["), first.hasSuffix("]") { first = String(first.dropFirst().dropLast()) }
        if let address = IPAddress(first) {
            let length = parts.count == 2 ? try Self.prefixLength(parts[1], of: address, first) : address.width
            let base = AddressBlock.base(of: address, length)
            guard base == address.value else {
                let block = AddressBlock(
                    address.isIPv6 ? IPAddress(ipv6: base) : IPAddress(ipv4: UInt32(base)), prefixLength: length)
                throw InvalidText("“\(text)” has bits behind its prefix; the block is \(block)")
            }
            self.kind = .block(AddressBlock(address, prefixLength: length))
        } else {
            let name = Self.normalized(first)
            guard parts.count == 1, Self.isHostName(name) else {
                throw InvalidText("an exception is a host’s name, an address, or a block such as 10.0.0.0/8")
            }
            self.kind = .host(name)
        }
    }

    /// - Parameter text: The address as it was written: a mapped one counts its prefix from the front of IPv6.
    private static func prefixLength(
        _ digits: String, of address: IPAddress, _ text: String
    ) throws(InvalidText) -> Int {
        let skipped = text.contains(":") && !address.isIPv6 ? 96 : 0
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let length = Int(digits), (skipped...skipped + address.width).contains(length)
        else {
            throw InvalidText("the prefix of a block has from \(skipped) to \(skipped + address.width) bits")
        }
        return length - skipped
    }

    /// Whether it is meant for that host, or that address.
    package func permits(_ address: IPAddress, host: String) -> Bool {
        switch self.kind {
        case .host(let name): name == Self.normalized(host)
        case .block(let block): block.contains(address)
        }
    }

    private static func normalized(_ host: String) -> String {
        let name = host.lowercased()
        return name.hasSuffix(".") ? String(name.dropLast()) : name
    }

    /// A name whose last label is a number is read as an address by resolvers (`127.1`), so it names no host.
    private static func isHostName(_ name: String) -> Bool {
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        guard name.utf8.count <= 253, labels.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 63 }),
            name.utf8.allSatisfy(Self.isOfNames), let last = labels.last
        else { return false }
        return !last.allSatisfy(\.isNumber) && !last.hasPrefix("0x")
    }

    private static func isOfNames(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// The exception as it can be written.
    package var description: String {
        switch self.kind {
        case .host(let name): name
        case .block(let block): block.prefixLength == block.first.width ? "\(block.first)" : "\(block)"
        }
    }
}
